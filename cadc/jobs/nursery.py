"""What every process imports that loads a model, imported once: `cadc.jobs.processes.context` forks them off one that
has read this module. It imports and does nothing else: that process must start no threads and touch no device.
"""

# ruff: noqa: F401
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor, AutoTokenizer

import cadc.models
import cadc.models.folding

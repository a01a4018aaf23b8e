"""The embedded default: a drawn pool and target, and a tiny Idefics3 model (docs/demo.md)."""

from cadc.demo.model import MODEL_DIR
from cadc.demo.pool import DemoFiles, PoolMix, oracle, write_demo, write_mix

__all__ = ["MODEL_DIR", "DemoFiles", "PoolMix", "oracle", "write_demo", "write_mix"]

"""LLaVA's own training, on request with a sequential sampler: it has no switch for the order. Written by CADC Studio.

    LLAVA=…/LLaVA MODEL=… sh run.sh
"""

import os

from llava.train import llava_trainer
from llava.train.train import train
from PIL import Image
from torch.utils.data import SequentialSampler

Image.MAX_IMAGE_PIXELS = None  # the study had a limit of its own: Pillow would refuse pictures above 179 million pixels


def in_order(trainer, *_) -> SequentialSampler:
    """The rows as they stand in the file. accelerate deals them to several GPUs in turn."""
    return SequentialSampler(trainer.train_dataset)


if os.environ.get("ORDER", "file") == "file":  # else their own, which shuffles anew in every pass
    llava_trainer.LLaVATrainer._get_train_sampler = in_order

if __name__ == "__main__":
    train(attn_implementation=os.environ.get("ATTENTION", "sdpa"))

"""LLaVA-NeXT's own training, on request with a sequential sampler, and without its habit of taking another row for one
that fails. Written by CADC Studio.

    LLAVA=…/LLaVA-NeXT MODEL=… sh run.sh
"""

import os

from llava.train import llava_trainer
from llava.train import train as training
from PIL import Image
from torch.utils.data import SequentialSampler

Image.MAX_IMAGE_PIXELS = None  # the study had a limit of its own: Pillow would refuse pictures above 179 million pixels


def in_order(trainer, *_) -> SequentialSampler:
    """The rows as they stand in the file. accelerate deals them to several GPUs in turn."""
    return SequentialSampler(trainer.train_dataset)


def this_row(dataset, number: int) -> dict:
    """The row that was asked for, or its error: a row that is replaced by its neighbour is learnt twice."""
    return dataset._get_item(number)


if os.environ.get("ORDER", "file") == "file":  # else their own, which shuffles anew in every pass
    llava_trainer.LLaVATrainer._get_train_sampler = in_order
training.LazySupervisedDataset.__getitem__ = this_row

if __name__ == "__main__":
    training.train()

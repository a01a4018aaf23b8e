"""Labels and pictures for the Axolotl run of this folder, by the collator in answers.py. Written by CADC Studio.

Axolotl finds answers by the marks of the chat templates that it knows; for other families it trains on questions, too,
it has no mark for a single answer, and its setting for more (`role_boundaries`) dies in 0.19. As a plugin, this file
puts answers.py in the place of its collator.
"""

from answers import Answers
from axolotl.integrations.base import BasePlugin
from transformers import AutoProcessor


class AnswersAlone(BasePlugin):
    """In axolotl.yaml: `plugins: [axolotl_answers.AnswersAlone]`."""

    def get_collator_cls_and_kwargs(self, cfg, is_eval=False):
        """What Axolotl makes batches with."""
        return Collator, {"model": cfg.base_model}


class Collator:
    """A row's turns, and the pictures that their blocks name."""

    def __init__(self, tokenizer, *, model: str, **_) -> None:
        self.answers = Answers(AutoProcessor.from_pretrained(model))

    def __call__(self, rows: list[dict]) -> dict:
        return self.answers([{
            "prompt": [turn | {"weight": 0 if turn.get("train") is False else 1} for turn in row["messages"]],
            "completion": [],
            "images": [block["path"] for turn in row["messages"] for block in turn["content"]
                       if block["type"] == "image"]} for row in rows])

"""The T adapters of a warm-up, switched in one after the other."""

from typing import TYPE_CHECKING

import torch

from cadc.gradients.capture import open_capture
from cadc.study import Study, read_about
from cadc.training import warmup

if TYPE_CHECKING:
    from cadc.models.vlm import Vlm


class Checkpoints:
    """The T adapters on the model's device, switched in one after the other."""

    def __init__(self, vlm: "Vlm", eta: torch.Tensor) -> None:
        """eta [T]: η_t; `add` brings the adapters."""
        self.eta = eta
        self.flats: list[torch.Tensor] = []
        self.first: list[torch.Tensor] = []
        self.second: list[torch.Tensor] = []
        self.updates: list[int] = []
        self._vlm = vlm
        self.capture = open_capture(vlm)

    def add(self, flat: torch.Tensor, first: torch.Tensor, second: torch.Tensor, updates: int) -> None:
        """The next checkpoint: adapter, raw moments [P] each, and how many updates made them."""
        kind = torch.float64 if self._vlm.dtype == torch.float64 else torch.float32
        for store, value in ((self.flats, flat), (self.first, first), (self.second, second)):
            store.append(value.to(self._vlm.device, kind))
        self.updates.append(updates)

    @classmethod
    def of(cls, study: Study, vlm: "Vlm") -> "Checkpoints":
        """Those of a study's warm-up. Raises JobError before it ran, or when one is damaged."""
        from safetensors.torch import load_file

        result = study.require("warmup")
        made = cls(vlm, torch.tensor(warmup.summary(study)["eta"], dtype=torch.float64))
        for t in range(study.config.checkpoints):
            path = result.intact(warmup.checkpoint_name(t + 1))
            state = load_file(path)
            updates = int(read_about(path)["updates"])
            flat, first, second = (vlm.layout.flatten(state, suffix) for suffix in ("", ".m", ".v"))
            made.add(flat, first, second, updates)
        return made

    def __len__(self) -> int:
        return len(self.flats)

    def switch(self, t: int) -> None:
        """Make checkpoint t (0 … T-1) the current adapter."""
        self.capture.switch(self.flats[t])


def open_model(study: Study) -> tuple["Vlm", Checkpoints]:
    """The study's model with LoRA and its checkpoints, ready for gradients."""
    from cadc.models import open_vlm

    config = study.config
    vlm = open_vlm(config)
    return vlm, Checkpoints.of(study, vlm)

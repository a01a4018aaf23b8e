"""The one training loop: AdamW on the adapters, with the warm-up's betas and clipping (METHOD §1, §6)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from cadc.study.progress import Progress
from cadc.training.prefix_cache import PrefixCache, R
from cadc.training.schedule import rate

if TYPE_CHECKING:
    import torch

    from cadc.models import Prefix, Vlm
    from cadc.training.lanes import Lanes

BETAS, EPSILON, CLIP = (0.9, 0.999), 1e-8, 1.0


R_in = TypeVar("R_in", bound=int, contravariant=True)


class Rows(Protocol[R_in]):
    """What batches are made of."""

    def parts(self, rows: Sequence[R_in]) -> "list[tuple[list[int], Prefix]]":
        """A batch in parts, each with its positions in `rows`; rows that cannot be encoded are left out."""


def train(vlm: "Vlm", rows: Rows[R], batches: Iterable[Sequence[R]], rates: Iterable[float],
          optimizer: "torch.optim.Optimizer | None" = None, lanes: "Lanes | None" = None) -> Iterator[float]:
    """AdamW steps on the current adapter; yields the loss of each step, nan where no row of its batch can be encoded.

    batches: rows of each step; rates: its learning rate; lanes: who computes the parts of a batch, `vlm` alone where
    none are given. Loss: mean over the batch of ℓ(z; θ) (METHOD §2).
    """
    import torch

    from cadc.models import lora_parameters
    from cadc.training.lanes import Lanes

    parameters = lora_parameters(vlm)
    optimizer, lanes = optimizer or new_optimizer(vlm), lanes or Lanes(vlm)
    for batch, now in zip(batches, rates, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = now
        parts = rows.parts(list(batch))
        count = sum(len(places) for places, _ in parts)
        if not count:
            yield float("nan")
            continue
        total = lanes.backward([given for _, given in parts], count)
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        yield total


def fresh_adapter(vlm: "Vlm", seed: int) -> None:
    """Make a new adapter the current one: A Kaiming-uniform from `seed` as in peft, B zero (METHOD §1)."""
    import torch

    from cadc.models import adapter_state, load_adapter_state

    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in adapter_state(vlm).items():
        bound = 1 / value.shape[1] ** 0.5 if name.endswith(".A") else 0.0
        state[name] = torch.empty(value.shape).uniform_(-bound, bound, generator=generator)
    load_adapter_state(vlm, state)


def new_optimizer(vlm: "Vlm") -> "torch.optim.Optimizer":
    """AdamW as in the warm-up, without a memory."""
    import torch

    from cadc.models import lora_parameters

    return torch.optim.AdamW(lora_parameters(vlm), lr=1.0, betas=BETAS, eps=EPSILON, weight_decay=0.0)


def losses(vlm: "Vlm", bank: PrefixCache[R], rows: Sequence[R], batch: int = 64) -> "torch.Tensor":
    """float32 [len(rows)]: ℓ(z; θ) of usable rows under the current adapter, without a graph."""
    import torch

    from cadc.models import answer_losses
    from cadc.models.folding import folded

    found = torch.empty(len(rows))
    with torch.no_grad(), folded(vlm):
        for start in range(0, len(rows), batch):
            for places, given in bank.parts(list(rows[start:start + batch])):
                found[torch.tensor(places) + start] = answer_losses(vlm, given).float().cpu()
    return found


def train_fresh(vlm: "Vlm", bank: PrefixCache[R], batches: np.ndarray, *, seed: int, learning_rate: float, rise: int,
                progress: Progress) -> list[float]:
    """A fresh adapter, one step for each line of `batches` [steps, batch] (rows of the bank); loss of every step.

    The rate rises linearly over `rise` steps and stays. Raises Cancelled.
    """
    fresh_adapter(vlm, seed)
    rates = [rate(step, learning_rate, rise) for step in range(len(batches))]
    logged = []
    for loss, now in zip(train(vlm, bank, batches.tolist(), rates), rates, strict=True):
        logged.append(round(loss, 5))
        progress.step(batches.shape[1], loss=loss, lr=now)
    return logged

"""Start-up check: a sample's numbers must not depend on which samples share its batch.

Some attention backends drop or misread the padding mask; then a short sample beside a long one gets other numbers than
alone, and every influence with it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from cadc.models.batching import Item, out_of_memory

if TYPE_CHECKING:
    from cadc.models import Vlm

TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-3, torch.bfloat16: 0.05}
"""Largest relative difference that rounding explains."""

Measured = tuple[torch.Tensor, torch.Tensor]
"""Losses and gradient norms, [B, …] each."""


def disagreement(measure: Callable[[Sequence[Item]], Measured], items: Sequence[Item], vlm: "Vlm") -> str:
    """'' or a sentence that says how far loss or gradient norm of `items` differ between alone and together."""
    lengths = [encoded.length for _, encoded in items]
    if len(set(lengths)) < 2:
        return ""  # nothing is padded
    try:
        alone = [measure([item]) for item in items]
        together = measure(items)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return ""  # such samples never meet in a batch here
    worst = 0.0
    for number, joined in enumerate(together):
        single = torch.cat([one[number] for one in alone]).double()
        apart = (joined.double() - single).abs() / single.abs().clamp_min(1e-12)
        finite = torch.isfinite(single)  # the others are set aside later, with their reason
        worst = max(worst, float(apart[finite].nan_to_num(nan=float("inf")).max())) if finite.any() else worst
    if worst <= TOLERANCE[vlm.dtype]:
        return ""
    used = getattr(vlm.text_config, "_attn_implementation", None) or "unknown"
    other = "sdpa" if used == "eager" else "eager"
    return (f"scores depend on which samples share a batch: loss or gradient norm of samples of {min(lengths)} and "
            f"{max(lengths)} tokens differs by {worst:.1%} between alone and together. The attention implementation "
            f"{used!r} may ignore padding; load the model with {other!r} attention (in its config.json: "
            f"\"_attn_implementation\": \"{other}\") and make a new study.")

"""LESS's random projection: a dense matrix of signs, never held as a whole (trak's Rademacher projector)."""

import torch

NUMBERS = 1 << 22
"""Signs that are in memory at once: they stay in a processor's cache."""
_SIGN, _ONE = -2**31, 0x3F800000
"""Bits of a float32: its sign, and 1.0."""


def project(rows: torch.Tensor, dimensions: int, seed: int) -> torch.Tensor:
    """rows [n, P] → float32 [n, dimensions]: ⟨row, random signs⟩ ÷ √dimensions; the same signs for the same seed."""
    generator = torch.Generator(rows.device).manual_seed(seed)
    rows = rows.float()
    size = rows.shape[1]
    height = max(1, min(size, NUMBERS // dimensions))
    words = torch.empty(-(-height * dimensions // 64), dtype=torch.int64, device=rows.device)
    place = torch.empty(32, 2 * len(words), dtype=torch.int32, device=rows.device)
    result = rows.new_zeros(len(rows), dimensions)
    for start in range(0, size, height):
        count = min(height, size - start)
        matrix = _signs(words, place, generator)[:count * dimensions].view(count, dimensions)
        result.addmm_(rows[:, start:start + count], matrix)
    return result / dimensions**0.5


def _signs(words: torch.Tensor, place: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Fill int32 `place` [32, 2 W] with ±1 in float32 from W fresh random words: one sign of each bit, several times
    faster than drawing every sign."""
    halves = words.random_(-2**63, None, generator=generator).view(torch.int32)
    for bit in range(32):
        torch.bitwise_left_shift(halves, bit, out=place[bit])
        place[bit].bitwise_and_(_SIGN).bitwise_or_(_ONE)
    return place.view(torch.float32).view(-1)

"""Pure functions between dot products and what is kept per pool sample (METHOD §4).

Shape letters: B samples, S single target samples, M units, T checkpoints.
"""

import torch


def members(sample_unit: torch.Tensor, units: int) -> torch.Tensor:
    """int64 [M, most]: the single target samples of each unit in order, -1 where a unit has fewer."""
    lists = [(sample_unit == u).nonzero()[:, 0] for u in range(units)]
    most = max(1, *(len(rows) for rows in lists)) if lists else 1
    table = torch.full((units, most), -1, dtype=torch.int64)
    for u, rows in enumerate(lists):
        table[u, :len(rows)] = rows
    return table


def near(influence: torch.Tensor, table: torch.Tensor, q: int) -> tuple[torch.Tensor, torch.Tensor]:
    """near(z, s) [B, M] and the winning target sample int32 [B, M].

    influence [B, S] is Inf(z, z'); near is the mean of its q largest values in the unit (of all, where a unit has
    fewer). A unit without single samples gets 0 and winner -1.
    """
    count = (table >= 0).sum(1)
    values = influence[:, table.clamp_min(0).flatten()].view(influence.shape[0], *table.shape)
    values = values.masked_fill(table < 0, float("-inf"))
    top, place = values.topk(min(q, table.shape[1]), dim=2)
    taken = count.clamp(1, q)
    inside = torch.arange(top.shape[2], device=top.device) < taken[:, None]
    mean = top.masked_fill(~inside, 0).sum(2) / taken
    winner = table.gather(1, place[:, :, 0].t()).t()
    empty = count == 0
    return mean.masked_fill(empty, 0), winner.masked_fill(empty, -1).to(torch.int32)


def cosine(dots: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    """dots [B, R] ÷ norm [B]; 0 where a sample has no gradient at all."""
    safe = norm.clamp_min(torch.finfo(norm.dtype).tiny)
    return torch.where(norm[:, None] > 0, dots / safe[:, None], 0)


def best(influence: torch.Tensor, keep: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `keep` largest values of each column of influence [n, S] and their rows: [S, keep] each, highest first.

    Equal values keep the order of their rows, so that shards merge to the same answer in any order.
    """
    value, row = torch.sort(influence.t().contiguous(), dim=1, descending=True, stable=True)
    return value[:, :keep].contiguous(), row[:, :keep].to(torch.int32).contiguous()

"""How many threads torch computes with here: sums round by it, and other libraries change it (numba does)."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch


def asked_threads() -> int:
    """Threads of the only process that computes: OMP_NUM_THREADS where it says so, else one, as every worker has."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else 1


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """So many of them inside, as many as were found behind."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def lone_threads(device: str) -> AbstractContextManager[None]:
    """Those of the only process that computes, on a CPU; on a GPU no sum depends on them."""
    return torch_threads(asked_threads()) if device == "cpu" else nullcontext()

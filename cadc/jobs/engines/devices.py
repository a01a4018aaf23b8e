"""What this machine can compute on."""

import gc
import os


def visible_gpus() -> list[str]:
    """Names of the visible GPUs as CUDA_VISIBLE_DEVICES takes them (numbers, or GPU- and MIG- names)."""
    import torch

    count = torch.cuda.device_count()
    given = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (given or [str(number) for number in range(count)])[:count]


def cores() -> int:
    """Cores that this process may use (a batch system gives fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """One per visible GPU, or one per core."""
    return len(visible_gpus()) or cores()


def release_gpu_memory() -> None:
    """Give back what earlier jobs of this process left in the allocator, before other processes need the device."""
    import torch

    if torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()

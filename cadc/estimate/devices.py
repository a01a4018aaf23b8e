"""Devices that an estimate can be made for without having one."""

from dataclasses import dataclass

from cadc.errors import DataError

EFFICIENCY = 0.35
"""Share of the peak that is assumed when nobody says otherwise: small matmuls, attention, norms and copies between
them, and waiting for pictures keep training and gradient passes of models up to 7 B parameters between about a quarter
and a half of the published peak."""


@dataclass(frozen=True)
class Device:
    """One accelerator as its maker describes it."""

    name: str
    """As a person says it."""
    tflops: float
    """Peak of dense matmuls in bfloat16 with float32 sums (float16 where the device has no bfloat16), without
    sparsity, in 10^12 FLOP/s."""
    memory_gb: float
    """Its memory in 10^9 bytes."""


DEVICES = {
    "h200": Device("NVIDIA H200 SXM", 989.4, 141),
    "h100": Device("NVIDIA H100 SXM", 989.4, 80),
    "h100-pcie": Device("NVIDIA H100 PCIe", 756, 80),
    "a100-80g": Device("NVIDIA A100 80 GB", 312, 80),
    "a100-40g": Device("NVIDIA A100 40 GB", 312, 40),
    "l40s": Device("NVIDIA L40S", 362, 48),
    "l4": Device("NVIDIA L4", 121, 24),
    "a10g": Device("NVIDIA A10G", 70, 24),
    "rtx4090": Device("NVIDIA GeForce RTX 4090", 165.2, 24),
    "rtx3090": Device("NVIDIA GeForce RTX 3090", 71, 24),
    "v100": Device("NVIDIA V100 SXM2 (float16)", 125, 32),
    "t4": Device("NVIDIA T4 (float16)", 65, 16),
}
"""Figures of the makers' data sheets and architecture papers; where these quote the sparse rate, half of it."""


def device(name: str) -> Device:
    """The device of that name. Raises DataError that lists the known ones."""
    found = DEVICES.get(name.strip().lower())
    if found is None:
        raise DataError(f"device {name!r} is not known. Known: {', '.join(DEVICES)}. For the machine at hand leave "
                        "the device out: it is measured.")
    return found


def share(efficiency: float | None) -> float:
    """The efficiency to count with; None stands for EFFICIENCY. Raises DataError outside (0, 1]."""
    if efficiency is None:
        return EFFICIENCY
    if not 0 < efficiency <= 1:
        raise DataError(f"efficiency {efficiency}: expected a share of the device's peak above 0 and up to 1.")
    return efficiency

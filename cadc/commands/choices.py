"""What may be chosen on the command line, each read from the table that it stands in."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cadc.study.registry import Named


def presets() -> tuple[str, ...]:
    """Ways to put a curriculum together."""
    from cadc.curation import PRESETS

    return tuple(PRESETS)


def preset() -> str:
    """The preset of a study that names none."""
    from cadc.study import StudyConfig

    return StudyConfig.preset


def stagings() -> tuple[str, ...]:
    """Ways in which stages follow each other."""
    from cadc.curation import STAGINGS

    return STAGINGS


def rules() -> tuple[str, ...]:
    """What can decide the shares of the capabilities."""
    from cadc.curation import RULES

    return RULES


def insides() -> tuple[str, ...]:
    """Orders inside a stage."""
    from cadc.curation import INSIDE

    return INSIDE


def curation_keys(named: tuple[str, ...]) -> list[str]:
    """Settings of a curriculum besides those that have a switch of their own."""
    from cadc.curation import CurationSettings

    return [key for key in CurationSettings.__dataclass_fields__ if key not in (*named, "shares", "keep", "drop")]


def similarities() -> tuple[str, ...]:
    """What units can be compared by."""
    from cadc.discovery.similarities import SIMILARITIES

    return tuple(SIMILARITIES)


def methods() -> tuple[str, ...]:
    """Ways to group units."""
    from cadc.discovery.clusterers import CLUSTERERS

    return tuple(CLUSTERERS)


def order_known() -> str:
    """What an order is known to gain or cost, as argparse reads texts."""
    from cadc.curation.settings import ORDER_KNOWN

    return ORDER_KNOWN.replace("%", "%%")


def floor_means() -> str:
    """What a floor is, in the units of each preset."""
    from cadc.curation import PRESETS

    means = "; ".join(f"{one.name}: {one.value}" for one in PRESETS.values() if one.value)
    return f"rows with no more influence on any capability belong to none ({means})".replace("%", "%%")


def formats() -> tuple[str, ...]:
    """What trainers read; the first is the default."""
    from cadc.export import FORMATS

    return tuple(FORMATS)


def pictures() -> dict[str, str]:
    """What may become of the pictures of an export, with what it is."""
    from cadc.export import WAYS

    return {str(way): about for way, about in WAYS.items()}


def jobs() -> tuple[str, ...]:
    """All jobs in their order."""
    from cadc.study import JOBS

    return tuple(JOBS)


def until() -> str:
    """The last job of those that a study needs before anything can be chosen from it."""
    from cadc.study.jobs import core_jobs

    return core_jobs()[-1]


def engines() -> tuple[str, ...]:
    """Who can compute the shards; the first is the default."""
    from cadc.jobs.engines import ENGINES

    return tuple(ENGINES)


def devices() -> tuple[str, ...]:
    """Devices that an estimate can be made for without having one."""
    from cadc.estimate.devices import DEVICES

    return tuple(DEVICES)


def tables() -> "dict[str, Mapping[str, Named]]":
    """Everything that may be chosen by a name and that a plugin can add to, by what it is called."""
    from cadc.curation import PRESETS
    from cadc.discovery.clusterers import CLUSTERERS
    from cadc.evaluation.arms import ARMS
    from cadc.export import FORMATS
    from cadc.signals import SIGNALS
    from cadc.study import JOBS

    return {"jobs": JOBS, "signals": SIGNALS, "presets": PRESETS, "clusterers": CLUSTERERS, "formats": FORMATS,
            "arms": ARMS}

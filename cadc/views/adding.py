"""What gradients would add to a study that has none, what that costs, and how to ask for it."""

from dataclasses import dataclass

from cadc.curation.lacking import LAST, command
from cadc.curation.presets import PRESETS
from cadc.estimate import ledger
from cadc.jobs import control
from cadc.study import Study
from cadc.study.jobs import offered_jobs, up_to
from cadc.views.words import duration

GAIN = ("They bring influence over the checkpoints, self-influence, the order of stages by it, the paper's preset, and "
        "one more signal for how near rows are. On four generated pools that signal chose no better rows where wrong "
        "answers are left out, and rows worth 3 to 5 points more where they are not (docs/evidence.md).")
"""What a person gets for the price."""


@dataclass(frozen=True, kw_only=True)
class Adding:
    """The offer to compute gradients."""

    jobs: tuple[str, ...]
    """All jobs of gradients, in order."""
    left: tuple[str, ...]
    """Those that would run."""
    price: str
    """What these take, in words; '' where nobody has predicted it."""
    command: str
    """The same from a command line."""
    begun: bool
    """Whether some of them ran already."""
    last: str = LAST
    """The job to run to."""

    @property
    def sentence(self) -> str:
        """The offer in a line."""
        price = self.price or "Predict the cost, further down, says what that takes"
        return (f"This study has no gradients. {'They were begun; left' if self.begun else 'Adding them'} "
                f"{'to run' if self.begun else 'runs'}: {', '.join(self.left)}. {price[0].upper()}{price[1:]}.")

    def why_not(self, what: str) -> str:
        """Why a part of a page is not there."""
        price = f"needs gradients, {self.price}" if self.price else "needs gradients"
        return f"{what} {price}. Add them on the Trajectories page, which predicts their cost, or with {self.command}."


def adding(study: Study) -> Adding | None:
    """The offer for a study that is complete without gradients; None where it has them, or will get them by itself.

    Raises JobError when the record of predictions cannot be read.
    """
    if LAST not in offered_jobs(study.config) or study.finished(LAST):
        return None
    jobs = tuple(job for job in up_to(LAST, study.config) if job in offered_jobs(study.config))
    open_ = [job for job in jobs if not study.finished(job)]
    begun = any(control.status(study, job).state != "waiting" for job in jobs)
    return Adding(jobs=jobs, left=tuple(open_), price=_price(study, open_), command=command(study), begun=begun)


def _price(study: Study, jobs: list[str]) -> str:
    """Seconds and disk of these jobs together, by the newest prediction; '' where there is none."""
    kept = ledger.kept(study)
    device = next(reversed(kept), "")
    known = kept[device]["jobs"] if device else {}
    if not any(job in known for job in jobs):
        return ""
    found = [known[job] for job in jobs if job in known]
    where = "here" if device == ledger.HERE else f"on {device}"
    return (f"about {duration(sum(price['seconds'] for price in found))} {where} and "
            f"{sum(price['disk_mb'] for price in found):,.0f} MB on disk")


def presets_of(study: Study) -> tuple[tuple[str, ...], str]:
    """Presets that can be chosen on this study now, and a sentence about the others, '' where there are none."""
    offer = adding(study) if not study.finished("scores") else None
    if offer is None:
        return tuple(PRESETS), ""
    waiting = [one.name for one in PRESETS.values() if one.needs_gradients]
    ready = tuple(name for name in PRESETS if name not in waiting)
    return ready, offer.why_not(f"Preset {', '.join(waiting)}") if waiting else ""

"""A prediction of the cost that is being made, as a person sees it."""

import time
from dataclasses import dataclass

from cadc.estimate import background
from cadc.study import Study
from cadc.views.trajectories import HERE, devices
from cadc.views.words import duration


@dataclass(frozen=True, kw_only=True)
class Predicting:
    """How the latest prediction stands."""

    running: bool
    text: str
    """What there is to say of it; '' where it is done or was never asked for."""
    message: str = ""
    """Why it failed."""


def predicting(study: Study) -> Predicting:
    """As its status file says."""
    found = background.standing(study)
    place = devices().get(found.note, found.note)
    if found.state == "running":
        how = "every job runs for a moment on a few rows" if found.note == HERE else "operations are counted"
        waited = duration(time.time() - found.started)
        return Predicting(running=True, text=f"{place}: {how}. {waited} so far; it usually takes 1 to 3 minutes, and "
                          "the page can be left meanwhile.")
    text = {"failed": f"The prediction for {place} failed:", "interrupted": f"The prediction for {place} ended early:",
            "cancelled": f"The prediction for {place} was cancelled."}.get(found.state, "")
    return Predicting(running=False, text=text, message=found.message if found.state != "cancelled" else "")

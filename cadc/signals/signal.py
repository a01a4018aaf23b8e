"""What a signal is: something that says how near a pool row is to a single target sample.

One is one file beside this one and one line in the table `cadc.signals.SIGNALS`. Each is an arm of the comparison (the
rounds of `studio` by it alone), and `nearness=NAME+NAME` joins several.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadc.scores.scores import Scores
from cadc.signals.similarity import Similarity
from cadc.study import Study


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A named signal."""

    name: str
    about: str
    """A few words for a person: what it sees, and what it does not."""
    open: Callable[[Study, Scores], Similarity]
    """Its similarities of the scored rows with the single target samples. Raises JobError when what it needs is not
    there."""
    units: Callable[[Study, Scores], np.ndarray] | None = None
    """Its similarity of target units, float64 [M, M], for maps; None where it has none, or the table of
    `cadc.discovery.similarities` has its own. Raises JobError as `open`."""
    needs: str = ""
    """Job whose result it reads beside the scores; run first where it is missing."""
    reads: str = ""
    """What it was made from, for a person."""

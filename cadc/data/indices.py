"""The ways in which a sample is numbered, as types: all are whole numbers from 0, and mixing them up is wrong in
silence.

The file of a pool has rows that were set aside, the samples file (what a `Feed` walks over) has none of them, and the
scores lack the rows that could not be encoded: the same sample is row 17 of the file, 15 of the feed, position 14 of
the scores. `samples[row].index` leads from a feed row to the file; `scores.index[position]` from a score to it.
"""

from typing import NewType

import numpy as np
from numpy.typing import NDArray

FileIndex = NewType("FileIndex", int)
"""Position in the input file, over all rows, set-aside ones included: what reports, exports and people say."""
FeedRow = NewType("FeedRow", int)
"""Row of the samples file and so of a `Feed`: 0 … accepted rows − 1, in file order."""
CacheRow = NewType("CacheRow", int)
"""Row of a `PrefixCache` that joins several feeds; one that reads a single feed counts in `FeedRow`."""

FeedRows = NDArray[np.int64]
"""`FeedRow` each."""

"""One row of any accepted shape → turns, pictures and what became of each of its keys, or the reason why not. Pure: no
file is touched here.

Normal form (what every reader and writer of the project relies on): an optional system turn, then user and assistant
in alternation, ending with assistant; pictures in user turns only, each used once and in order; text pieces as they
stand in the row, never empty, never two in a row, and never containing a literal `<image>`, `<video>` or `<audio>`.
"""

from cadc.data.rows.keys import KeyCounts, told_keys
from cadc.data.rows.reading import Draft, Reading, has_known_shape, read_row, row_id
from cadc.data.rows.turns import is_messages

__all__ = ["Draft", "KeyCounts", "Reading", "has_known_shape", "is_messages", "read_row", "row_id", "told_keys"]

"""Marks that say which answers are learnt: on a turn, or in a list beside the conversation."""

import json

from cadc.data.reasons import SetAside, printable
from cadc.data.rows.keys import Account

LEARNT = ("loss", "train", "training", "trainable", "train_on_turn", "calculate_loss", "need_loss", "output_with_loss",
          "loss_mask")
WEIGHTS = ("weight", "loss_weight", "loss_scale")
NOT_LEARNT = ("masked", "is_masked", "ignore", "ignored")
"""Marks that say the contrary: true means not learnt."""
UNCLEAR = ("mask", "train_detail", "training_detail")
"""Marks that mean one thing here and its contrary there, or parts of an answer."""
MARKS = frozenset({*LEARNT, *WEIGHTS, *NOT_LEARNT, *UNCLEAR})
LISTS = ("loss_mask", "loss_masks")
"""Columns with a mark for every turn."""

_WORDS = {"true": True, "1": 1, "1.0": 1, "false": False, "0": 0, "0.0": 0}


def learnt(account: Account, turn: dict[str, object], number: int, read: set[str], *, answer: bool) -> bool:
    """Whether a turn is learnt from, as its marks say; `read` gets their names. Raises SetAside for a mark that says
    neither."""
    learn = True
    if MARKS.isdisjoint(turn):
        return learn
    for key in sorted(MARKS & turn.keys()):
        read.add(key)
        value = turn[key]
        if value is None or (key in UNCLEAR and value in ("", [])):
            continue
        said = _WORDS.get(value.strip().lower()) if isinstance(value, str) else value
        if key in UNCLEAR or not isinstance(said, bool | int | float):
            raise SetAside(f"mark is not understood: {key}={printable(value, 40)} in turn {number}")
        if said not in (0, 1):
            account.note(f"mark read as 1: {key}={said} in turn {number}, weights between are not kept")
        yes = bool(said) != (key in NOT_LEARNT)
        if answer and not yes:
            learn = False
            account.note(f"turn that is not learnt: turn {number} is marked {key}={json.dumps(value)}")
        elif not answer and yes and key in LEARNT:
            account.note(f"mark on a turn that is no answer: {key} in turn {number}; only answers are learnt")
    return learn


def listed(account: Account, turns: int) -> list[bool]:
    """What a column beside the conversation says of each of its turns; [] where there is none. Raises SetAside."""
    for name in LISTS:
        value = account.row.get(name)
        if value in (None, "", []):
            continue
        if not isinstance(value, list) or len(value) != turns or any(one not in (0, 1) for one in value):
            raise SetAside(f"mark is not understood: {name} is no list of 0 and 1, one for each of the {turns} turns")
        account.get(name)
        return [bool(one) for one in value]
    return []

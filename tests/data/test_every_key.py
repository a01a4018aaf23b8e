"""For any row of any shape that is read: every key is read, kept or reported."""

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from rows import ROWS

from cadc.data.rawrow import RawRow
from cadc.data.rows import read_row

READ_AND_KEPT = {"source", "dataset"}


def inner(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """(place, key) of every turn and block below conversation columns."""
    for turn in value:
        yield from ((place, key) for key in turn)
        if place == "turn" and isinstance(turn.get("content"), list):
            yield from inner(turn["content"], "block")


@settings(max_examples=400, deadline=None)
@given(ROWS)
def test_every_key_is_read_kept_or_ignored_and_said_so(row):
    draft = read_row(RawRow(0, row, json.dumps(row)))
    fates: dict[tuple[str, str], set[str]] = {}
    for place, name, fate in draft.keys:
        fates.setdefault((place, name), set()).add(fate)
    kept = json.loads(draft.kept) if draft.kept else {}
    for name, value in row.items():
        fate = fates["column", name]
        assert fate <= {"read", "kept"} and len(fate) == 1
        assert (name in kept) == (fate == {"kept"} or name in READ_AND_KEPT), name
        assert name not in kept or kept[name] == value
    said = {key for name in ("conversations", "messages", "texts", "prompt", "completion")
            for key in inner(row.get(name, []), "turn")}
    assert {key for key in fates if key[0] != "column"} == said
    assert all(fates[key] == {"ignored"} for key in said if key[1].startswith("my_"))
    assert not any(fates[key] == {"ignored"} for key in said if not key[1].startswith("my_"))
    assert len(draft.pictures) == sum(isinstance(p, int) for turn in draft.turns for p in turn.parts)


@settings(max_examples=400, deadline=None)
@given(ROWS)
def test_every_word_that_is_said_is_read(row):
    draft = read_row(RawRow(0, row, json.dumps(row)))
    whole = "".join(part for turn in draft.turns for part in turn.parts if isinstance(part, str))
    for name in ("conversations", "messages", "texts", "prompt", "completion"):
        for turn in row.get(name, []):
            for key in ("value", "content", "user", "assistant"):
                said = turn.get(key, "")
                for piece in said.split("<image>") if isinstance(said, str) else [b.get("text", "") for b in said]:
                    assert piece in whole
    for name in ("question", "instruction", "query", "answer", "output", "response", "context", "system"):
        assert row.get(name, "") in whole
    for option in row.get("options", []):
        assert option in whole

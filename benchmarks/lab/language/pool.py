"""Pool, target and ground truth for a real language model, out of `tasks` (docs/evaluation.md).

Off-topic rows are small talk, in prose and in the same closed formats. Shares and the long tail are made as in the
embedded default (`cadc.demo.pool`).
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.lab.language.talk import small_talk
from benchmarks.lab.language.tasks import HINTS, STRAYS, UNITS, Ask, Kind
from cadc.demo.pool import PoolMix, long_tail
from cadc.errors import DataError
from cadc.study import replacing

VERSION = 1
SYSTEM = "Answer briefly."
"""Every row's system turn: without one, the model's template writes a longer one of its own."""
SOURCES = ("mixed-chat", "quiz-night", "school-sheets", "trivia-dump")
TRIES = 5000
"""Draws before a kind counts as exhausted."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row before it has a place; kind None: off-topic."""

    question: str
    answer: str
    kind: Kind | None = None
    ask: Ask | None = None
    wrong: bool = False
    original: "Row | None" = None


@dataclass(frozen=True, kw_only=True)
class TaskFiles:
    """Where the written files lie."""

    pool: Path
    target: Path
    truth_pool: Path
    truth_target: Path


# ---- rows ------------------------------------------------------------------------------------------------------------
def said(question: str) -> str:
    """A question without case, spacing and punctuation: the same for near-duplicates."""
    return " ".join(re.findall(r"\w+", question.casefold()))


def _fresh(kind: Kind, rng: random.Random, seen: set[str], banned: set[tuple], *, wrong: bool = False) -> Row:
    """A row of the kind whose question was not seen yet and whose key is not banned. Raises DataError without one."""
    for _ in range(TRIES):
        ask = kind.ask(rng)
        question = f"{rng.choice(ask.wordings)} {HINTS[kind.form]}"
        if (kind.name, ask.key) not in banned and said(question) not in seen:
            seen.add(said(question))
            return Row(question=question, answer=ask.wrong if wrong else ask.right, kind=kind, ask=ask, wrong=wrong)
    raise DataError(f"kind {kind.name} has no more questions to ask. Ask for fewer rows, or a flatter mixture (zipf).")


def _copy(row: Row, rng: random.Random, *, exact: bool) -> Row:
    """The same row again: word by word, or in other words with the same answer."""
    others = [text for text in row.ask.wordings if not row.question.startswith(text)]
    question = row.question if exact else f"{rng.choice(others)} {HINTS[row.kind.form]}"
    return Row(question=question, answer=row.answer, kind=row.kind, ask=row.ask, wrong=row.wrong, original=row)


def draft_target(mix: PoolMix, seen: set[str]) -> list[Row]:
    """Clean rows, per_unit of each unit, unit by unit, no key twice in a unit. Adds their questions to `seen`."""
    rng, out = random.Random(f"language target{mix.seed}"), []
    banned: set[tuple] = set()
    for unit in UNITS:
        for _ in range(mix.per_unit):
            out.append(_fresh(unit, rng, seen, banned))
            banned.add((unit.name, out[-1].ask.key))
    return out


def draft_pool(mix: PoolMix, target: list[Row], seen: set[str]) -> list[Row]:
    """The pool in its final order: fresh rows, duplicates (each after its original) and off-topic text."""
    rng, seen = random.Random(f"language pool{mix.seed}"), seen | {said(row.question) for row in target}
    banned = {(row.kind.name, row.ask.key) for row in target}
    n_text, n_copies = round(mix.off_topic * mix.size), round(mix.duplicate * mix.size)
    n_fresh = mix.size - n_text - n_copies
    n_stray = round(mix.off_target * n_fresh)
    kinds = [*long_tail(UNITS, n_fresh - n_stray, mix, rng), *long_tail(STRAYS, n_stray, mix, rng)]
    rng.shuffle(kinds)
    n_wrong = round(mix.wrong * mix.size * n_fresh / (n_fresh + n_copies))
    fresh = [_fresh(kind, rng, seen, banned, wrong=i < n_wrong) for i, kind in enumerate(kinds)]
    n_wrong_copies = round(mix.wrong * mix.size) - n_wrong
    picked = rng.sample(fresh[:n_wrong], n_wrong_copies) + rng.sample(fresh[n_wrong:], n_copies - n_wrong_copies)
    placed = [(rng.random(), row) for row in fresh]
    keys = {id(row): key for key, row in placed}
    placed += [(rng.uniform(keys[id(row)], 1), _copy(row, rng, exact=i % 2 == 0)) for i, row in enumerate(picked)]
    placed += [(rng.random(), Row(question=question, answer=answer))
               for question, answer in (small_talk(rng, HINTS) for _ in range(n_text))]
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


# ---- files -----------------------------------------------------------------------------------------------------------
def write_tasks(folder: Path, mix: PoolMix, avoid: Sequence[Path] = ()) -> TaskFiles:
    """Write pool, target and truth; a finished folder of the same question is left as it is; byte-identical for a seed.

    avoid: files of rows none of whose questions may occur.
    """
    folder = Path(folder)
    files = TaskFiles(pool=folder / "pool.json", target=folder / "target.json", truth_pool=folder / "truth_pool.jsonl",
                      truth_target=folder / "truth_target.jsonl")
    seen = {said(row["conversations"][1]["value"]) for path in avoid for row in json.loads(path.read_text())}
    marker, stamp = folder / "finished.json", json.dumps({"version": VERSION, "mix": asdict(mix), "avoid": len(seen)})
    if marker.is_file() and marker.read_text() == stamp:
        return files
    folder.mkdir(parents=True, exist_ok=True)
    marker.unlink(missing_ok=True)
    target = draft_target(mix, before := set(seen))
    pool = draft_pool(mix, target, before)
    for name, rows, path, truth in (("pool", pool, files.pool, files.truth_pool),
                                    ("target", target, files.target, files.truth_target)):
        place, rng = {id(row): i for i, row in enumerate(rows)}, random.Random(f"language sources{mix.seed}")
        drawn = [json.dumps(_line(f"{name}-{i:05d}", row, name, rng)) for i, row in enumerate(rows)]
        _write(path, "[\n" + ",\n".join(drawn) + "\n]\n")
        known = [json.dumps(_truth(i, f"{name}-{i:05d}", row, place)) for i, row in enumerate(rows)]
        _write(truth, "\n".join(known) + "\n")
    _write(marker, stamp)
    return files


def _line(name: str, row: Row, role: str, rng: random.Random) -> dict:
    about = {"task": row.kind.name} if role == "target" else {"source": rng.choice(SOURCES)}
    return {"id": name} | about | {"conversations": [{"from": "system", "value": SYSTEM},
                                                     {"from": "human", "value": row.question},
                                                     {"from": "gpt", "value": row.answer}]}


def _truth(index: int, name: str, row: Row, place: dict[int, int]) -> dict:
    """What is true about a row; never part of the row itself. Keys as `cadc.demo` has them (docs/demo.md)."""
    kind = row.kind
    return {"index": index, "id": name, "skill": kind.skill if kind else None, "format": kind.form if kind else None,
            "kind": kind.name if kind else None, "unit": kind.name if kind and kind.on_target else None,
            "wrong": row.wrong, "duplicate_of": place[id(row.original)] if row.original is not None else None,
            "off_topic": kind is None, "on_target": bool(kind and kind.on_target),
            "truth": row.ask.right if row.ask else None}


def _write(path: Path, text: str) -> None:
    """Write whole or not at all."""
    with replacing(path) as handle:
        handle.write(text.encode())

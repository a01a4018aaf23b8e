"""Write the embedded default: pool, target, pictures and the ground truth beside them (docs/demo.md)."""

import hashlib
import io
import json
import random
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cadc.arrays import largest_remainder
from cadc.demo import kinds, offtopic, talk
from cadc.demo.scenes import Ask, Scene
from cadc.study import replacing
from cadc.study.files import alone

VERSION = 2
SOURCES = ("drawn-665k", "picture-quiz", "atlas-qa", "homework-vl", "webdraw", "mixed-chat")


@dataclass(frozen=True, kw_only=True)
class PoolMix:
    """How uneven and how dirty a pool is; shares are of all rows unless told otherwise."""

    seed: int = 0
    """Seeds everything: mixture order, pictures, questions, junk."""
    size: int = 8000
    """Rows in the pool."""
    per_unit: int = 40
    """Rows of each target unit."""
    off_target: float = 1 / 3
    """Share of the fresh picture rows that the target never asks for."""
    wrong: float = 0.10
    """Share with a wrong answer."""
    duplicate: float = 0.15
    """Share that repeats another row, half exactly, half redrawn and rephrased."""
    off_topic: float = 0.15
    """Share of text without a picture."""
    zipf: float = 1.0
    """Exponent of the long tail over kinds, for on-target and off-target kinds each; 0 is even."""
    units: tuple[str, ...] = ()
    """Kinds that the target asks for, by name; (): those of the embedded default."""
    strays: tuple[str, ...] = ()
    """Kinds of the off-target rows, by name; (): those of the embedded default."""
    easy: tuple[str, ...] = ()
    """Target units that get a share of their own, `easy_share`."""
    easy_share: float = 0.0
    """Share of the fresh on-target rows that are of the `easy` units."""
    near_miss: bool = False
    """Whether wrong answers lie beside the right ones: off by one, the neighbour's letter."""

    def __post_init__(self) -> None:
        if self.size < 100 or self.per_unit < 1:
            raise ValueError("PoolMix: size must be at least 100 and per_unit at least 1.")
        for name in ("off_target", "wrong", "duplicate", "off_topic", "easy_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"PoolMix.{name} must lie in [0, 1).")
        if self.duplicate + self.off_topic > 0.6:
            raise ValueError("PoolMix: duplicate + off_topic must leave 40 % of fresh rows.")
        asked, never = ({kind.name for kind in some} for some in (self.asked, self.never))
        if both := asked & never:
            raise ValueError(f"PoolMix: {min(both)} cannot be asked by the target and be off target.")
        if not set(self.easy) < asked or bool(self.easy) != bool(self.easy_share):
            raise ValueError("PoolMix: easy names some of the target's units, and easy_share their part of its rows.")

    @property
    def asked(self) -> tuple[kinds.Kind, ...]:
        """Kinds that the target asks for."""
        return kinds.named(self.units, on_target=True) if self.units else kinds.UNITS

    @property
    def never(self) -> tuple[kinds.Kind, ...]:
        """Kinds of the off-target rows."""
        return kinds.named(self.strays, on_target=False) if self.strays else kinds.STRAYS

    @property
    def stamp(self) -> dict[str, Any]:
        """The mixture as a finished folder names it; what came later only where it is chosen, so that folders of an
        earlier version stay finished."""
        later = {"units": (), "strays": (), "easy": (), "easy_share": 0.0, "near_miss": False}
        return {name: value for name, value in asdict(self).items() if name not in later or value != later[name]}


@dataclass(frozen=True, kw_only=True)
class DemoFiles:
    """Where the written files lie."""

    pool: Path
    target: Path
    images: Path
    truth_pool: Path
    truth_target: Path


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A row of text before it has a place."""

    turn: talk.Turn


@dataclass(frozen=True, kw_only=True)
class Pictured(Draft):
    """A row with a picture before it has a place: its PNG bytes and what is true about it."""

    png: bytes
    kind: kinds.Kind
    scene: Scene
    ask: Ask
    original: "Pictured | None" = None
    """The row that this one repeats."""


def write_demo(folder: Path, *, seed: int = 0, pool_size: int = 8000, per_unit: int = 40) -> DemoFiles:
    """Write the demo into ``folder`` unless it is there already; byte-identical for a seed."""
    return write_mix(folder, PoolMix(seed=seed, size=pool_size, per_unit=per_unit))


def write_mix(folder: Path, mix: PoolMix) -> DemoFiles:
    """Write a pool and target of any mixture; a finished folder of the same mixture is left as it is.

    Of several processes one writes and the others wait; whatever one that was stopped has left is written anew.
    """
    folder = Path(folder)
    files = DemoFiles(
        pool=folder / "pool.json",
        target=folder / "target.json",
        images=folder,
        truth_pool=folder / "truth_pool.jsonl",
        truth_target=folder / "truth_target.jsonl",
    )
    marker = folder / "finished.json"
    stamp = json.dumps({"version": VERSION, "mix": mix.stamp}, sort_keys=True)
    with alone(folder / ".lock"):
        if marker.is_file() and marker.read_text() == stamp:
            return files
        marker.unlink(missing_ok=True)
        shutil.rmtree(folder / "images", ignore_errors=True)
        (folder / "images").mkdir()
        target = draft_target(mix)
        pool = draft_pool(mix, avoid={_digest(d.png) for d in target})
        _write_rows(pool, "pool", files.pool, files.truth_pool, mix)
        _write_rows(target, "target", files.target, files.truth_target, mix)
        _replace(marker, stamp)
    return files


def draft_target(mix: PoolMix) -> list[Pictured]:
    """Clean rows, per_unit of each unit, unit by unit."""
    rng, seen = random.Random(f"target{mix.seed}"), set[str]()
    return [_fresh(unit, rng, seen) for unit in mix.asked for _ in range(mix.per_unit)]


def draft_pool(mix: PoolMix, avoid: set[str]) -> list[Draft]:
    """The pool in its final order: fresh rows, duplicates (each after its original) and off-topic text."""
    rng, seen = random.Random(f"pool{mix.seed}"), set(avoid)
    n_text, n_copies = round(mix.off_topic * mix.size), round(mix.duplicate * mix.size)
    n_fresh = mix.size - n_text - n_copies
    n_stray = round(mix.off_target * n_fresh)
    n_easy = round(mix.easy_share * (n_fresh - n_stray))
    chosen = long_tail([kind for kind in mix.asked if kind.name not in mix.easy], n_fresh - n_stray - n_easy, mix, rng)
    chosen += long_tail(mix.never, n_stray, mix, rng)
    if mix.easy:
        chosen += long_tail(kinds.named(mix.easy, on_target=True), n_easy, mix, rng)
    rng.shuffle(chosen)
    n_wrong = round(mix.wrong * mix.size * n_fresh / (n_fresh + n_copies))
    fresh = [_fresh(kind, rng, seen, wrong=i < n_wrong, near=mix.near_miss) for i, kind in enumerate(chosen)]
    n_wrong_copies = round(mix.wrong * mix.size) - n_wrong
    picked = rng.sample(fresh[:n_wrong], n_wrong_copies) + rng.sample(fresh[n_wrong:], n_copies - n_wrong_copies)
    placed: list[tuple[float, Draft]] = [(rng.random(), draft) for draft in fresh]
    keys = {id(draft): key for key, draft in placed}
    placed += [(rng.uniform(keys[id(d)], 1), _copy(d, rng, exact=i % 2 == 0)) for i, d in enumerate(picked)]
    for _ in range(n_text):
        question, answer = offtopic.off_topic(rng)
        placed.append((rng.random(), Draft(turn=talk.Turn(question=question, answer=answer))))
    placed.sort(key=lambda pair: pair[0])
    return [draft for _, draft in placed]


def long_tail(of: Sequence[kinds.Kind], n: int, mix: PoolMix, rng: random.Random) -> list[kinds.Kind]:
    """n kinds, frequency falling as 1 / rank^zipf in a random order of kinds; counts by largest remainder."""
    ranked = rng.sample(list(of), len(of))
    weights = [1 / (rank + 1) ** mix.zipf for rank in range(len(ranked))]
    counts = largest_remainder(np.array([n * w / sum(weights) for w in weights]), n)
    return [kind for kind, count in zip(ranked, counts, strict=True) for _ in range(count)]


def oracle(truth: Iterable[dict[str, Any]], n: int, *, seed: int = 0) -> list[int]:
    """Indices of n clean, on-target, unrepeated rows, unit after unit in rounds (needs the ground truth)."""
    rng = random.Random(f"oracle{seed}")
    by_unit: dict[str, list[int]] = {}
    for row in truth:
        if row["on_target"] and not row["wrong"] and row["duplicate_of"] is None:
            by_unit.setdefault(row["unit"], []).append(row["index"])
    for rows in by_unit.values():
        rng.shuffle(rows)
    out: list[int] = []
    while len(out) < n and any(by_unit.values()):
        for unit in sorted(by_unit):
            if by_unit[unit] and len(out) < n:
                out.append(by_unit[unit].pop())
    return out


def _fresh(kind: kinds.Kind, rng: random.Random, seen: set[str], *, wrong: bool = False, near: bool = False
           ) -> Pictured:
    """A row of the kind whose picture occurs nowhere yet."""
    while True:
        scene, ask, turn = kinds.compose(kind, rng, wrong=wrong, near=near)
        png = _png(scene)
        digest = _digest(png)
        if digest not in seen:
            seen.add(digest)
            return Pictured(png=png, turn=turn, kind=kind, scene=scene, ask=ask)


def _copy(draft: Pictured, rng: random.Random, *, exact: bool) -> Pictured:
    """The same row again: as it is, or with its picture shifted and other words for the same answer."""
    if exact:
        return replace(draft, original=draft)
    moved = draft.scene.picture.copy()
    moved.paste(draft.scene.picture, (rng.choice((-1, 1)), rng.choice((-1, 0, 1))))
    scene, turn = replace(draft.scene, picture=moved), draft.turn
    for _ in range(200):
        other = talk.turn(draft.ask, draft.kind.form, rng, wrong=not draft.turn.right)
        if other.answer == draft.turn.answer and other.question != draft.turn.question:
            turn = other
            break
    return replace(draft, scene=scene, png=_png(scene), turn=turn, original=draft)


def _png(scene: Scene) -> bytes:
    buffer = io.BytesIO()
    scene.picture.save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _digest(png: bytes) -> str:
    return hashlib.blake2b(png, digest_size=16).hexdigest()


def _sources(mix: PoolMix) -> dict[str, list[float]]:
    """Each kind's shares of the sources: every source mixes many kinds."""
    rng = random.Random(f"sources{mix.seed}")
    names = [*sorted([*kinds.KINDS, "text"]), *sorted(kind.name for kind in kinds.CROSSED)]
    return {name: [rng.gammavariate(0.8, 1) for _ in SOURCES] for name in names}


def _write_rows(drafts: Sequence[Draft], name: str, rows_path: Path, truth_path: Path, mix: PoolMix) -> None:
    """Rows as a LLaVA JSON array (one row a line), truth as JSONL, pictures as PNG."""
    rng, shares = random.Random(f"{name}rows{mix.seed}"), _sources(mix)
    place = {id(draft): i for i, draft in enumerate(drafts)}
    rows, truth = [], []
    for i, draft in enumerate(drafts):
        row: dict[str, Any] = {"id": f"{name}-{i:06d}"}
        if isinstance(draft, Pictured):
            first = draft.original if draft.original is not None and draft.png is draft.original.png else None
            row["image"] = f"images/{name}-{i if first is None else place[id(first)]:06d}.png"
            if first is None:
                (rows_path.parent / row["image"]).write_bytes(draft.png)
        kind = draft.kind.name if isinstance(draft, Pictured) else "text"
        row |= {"task": kind} if name == "target" else {"source": rng.choices(SOURCES, shares[kind])[0]}
        question = ("<image>" if "image" in row else "") + draft.turn.question
        row["conversations"] = [{"from": "human", "value": question}, {"from": "gpt", "value": draft.turn.answer}]
        rows.append(json.dumps(row))
        truth.append(json.dumps(_truth(i, row["id"], draft, place)))
    _replace(rows_path, "[\n" + ",\n".join(rows) + "\n]\n")
    _replace(truth_path, "\n".join(truth) + "\n")


def _truth(index: int, name: str, draft: Draft, place: dict[int, int]) -> dict[str, Any]:
    """What is true about a row; never part of the row itself."""
    shown = draft if isinstance(draft, Pictured) else None
    kind = shown.kind if shown else None
    return {
        "index": index,
        "id": name,
        "family": kind.family if kind else None,
        "skill": kind.skill if kind else None,
        "format": kind.form if kind else None,
        "kind": kind.name if kind else None,
        "unit": kind.name if kind and kind.on_target else None,
        "wrong": not draft.turn.right,
        "duplicate_of": place[id(shown.original)] if shown and shown.original is not None else None,
        "off_topic": kind is None,
        "on_target": bool(kind and kind.on_target),
        "truth": talk.told(shown.ask) if shown else None,
    }


def _replace(path: Path, text: str) -> None:
    """Write whole or not at all."""
    with replacing(path) as handle:
        handle.write(text.encode())

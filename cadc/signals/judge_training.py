"""How judges are made: fresh adapters on the untrained base that see target samples alone (METHOD §5, decision 0031).

Each judge leaves one fold of the target out. That fold says when to stop, and what right answers of a unit cost a model
that did not train on them. When to stop is asked of the probability that its right answers get, mean of exp(−ℓ), and
not of their mean loss: that rises from where a judge grows certain, by the few samples that it will never get right,
while it still gets better at telling wrong answers (docs/decisions/0031). G target samples teach, F folds.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cadc.data.indices import FeedRow
from cadc.errors import JobError
from cadc.study import Study, StudyConfig, file_digest, write_tensors
from cadc.study.progress import Progress
from cadc.study.results import read_sealed, write_sealed

if TYPE_CHECKING:
    import torch

    from cadc.data.sample import Sample
    from cadc.models import Vlm
    from cadc.models.feed import Feed
    from cadc.training.prefix_cache import PrefixCache

log = logging.getLogger(__name__)

FOLDS = 8
"""F where judges are fewer."""
RISE = 10
"""Steps of the short linear rise at the start of a training."""
BATCH = 16
"""Samples per step at most: for as many samples small steps teach more, and the mean below takes their noise away."""
EVERY, WINDOW = 5, 8
"""A judge is the mean of its adapter over the last `WINDOW` times, each `EVERY` steps."""
LOOK = 25
"""Steps between two looks at the fold that was left out."""
PATIENCE = 3
"""Looks without a better one after which a training ends."""
STEPS, PASSES = 250, 6
"""Steps at most: so many, or so many passes over what teaches where these are more."""
_STREAM = 93  # of the study's seed


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What one judge is taught, and what it is examined on. Positions in the target's samples file."""

    number: int
    """0 … judges-1."""
    inside: tuple[FeedRow, ...]
    outside: tuple[FeedRow, ...]
    """Left out; empty where there is nothing to leave out."""


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A trained judge, as its file says."""

    number: int
    step: int
    """Steps after which its adapter was kept."""
    losses: tuple[float, ...]
    """Of every step that was made."""
    curve: tuple[tuple[int, float, float], ...]
    """(step, mean loss of the left-out fold, mean probability exp(−ℓ) of its right answers)."""
    taught: tuple[int, ...]
    """Positions in the target file of what it trained on."""
    sha256: str
    """Of its adapter's file."""


def fold_count(judges: int) -> int:
    """F: an eighth of the target is left out by each judge, or less where there are more judges. What a judge does not
    see it cannot teach: two that see half of the target each are far worse than one that sees seven eighths."""
    return max(FOLDS, judges)


def lessons(config: StudyConfig, samples: Sequence["Sample"], groups: Sequence[int]) -> list[Lesson]:
    """What each judge is taught: target samples that gradients see, without its own fold.

    groups: near-duplicate group of each sample; a group shares a fold. Units are dealt out evenly, so that each judge
    sees samples of every unit that has two groups.
    """
    from cadc.gradients.choice import gradient_samples

    rows = sorted(gradient_samples(config, samples)[0])
    folds = fold_count(config.judges)
    fold = folds_of([samples[row].unit or samples[row].id for row in rows], [groups[row] for row in rows], folds,
                    [config.seed, _STREAM])
    made = []
    for number in range(config.judges):
        inside = tuple(row for row, own in zip(rows, fold, strict=True) if own != number)
        outside = tuple(row for row, own in zip(rows, fold, strict=True) if own == number)
        made.append(Lesson(number=number, inside=inside or outside, outside=outside if inside else ()))
    return made


def folds_of(units: Sequence[str], groups: Sequence[int], folds: int, seed: Sequence[int]) -> list[int]:
    """Fold of each sample, 0 … folds-1: the groups of each unit in a seeded order, dealt out in turn. A group that
    several units share is dealt out with the first."""
    rng, dealt = np.random.default_rng(list(seed)), dict[int, int]()
    for unit in dict.fromkeys(units):
        own = [group for group, of in zip(groups, units, strict=True) if of == unit and group not in dealt]
        for group in rng.permutation(np.unique(own)).tolist():
            dealt[group] = len(dealt) % folds
    return [dealt[group] for group in groups]


def steps_of(config: StudyConfig, lesson: Lesson) -> int:
    """Steps that a training makes at most; where no fold can be left out (a single sample), that it makes."""
    return steps_for(config, len(lesson.inside))


def steps_for(config: StudyConfig, taught: int) -> int:
    """Steps at most where so many target samples teach."""
    return config.judge_steps or max(STEPS, PASSES * -(-taught // batch_for(config, taught)))


def batch_for(config: StudyConfig, taught: int) -> int:
    """Samples per step where so many teach."""
    return min(config.warmup_batch, BATCH, max(taught, 1))


@dataclass(frozen=True, kw_only=True)
class School:
    """The base with an adapter, and what lies below it of target samples, kept."""

    vlm: "Vlm"
    feed: "Feed"
    bank: "PrefixCache[FeedRow]"


def open_school(study: Study) -> School:
    """Load the base with an adapter. Raises ModelError."""
    from cadc.models import open_vlm
    from cadc.models.feed import Feed
    from cadc.training.prefix_cache import PrefixCache

    vlm = open_vlm(study.config)
    feed = Feed(study, "target", vlm)
    return School(vlm=vlm, feed=feed, bank=PrefixCache(vlm, feed.encode))


@dataclass
class Watch:
    """When to stop: the step at which left-out answers are likeliest, and whether it is long ago."""

    best: int = 0
    """0: nothing was seen yet."""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    over: bool = False

    def look(self, step: int, losses: np.ndarray) -> bool:
        """Note the losses of the left-out samples; whether they are likelier than ever before. Losses that are no
        numbers never are."""
        highest = max((one for _, _, one in self.curve), default=-1.0)
        likely = float(np.exp(-np.asarray(losses, np.float64)).mean())
        self.curve.append((step, round(float(np.mean(losses)), 5), round(likely, 5) if np.isfinite(likely) else 0.0))
        if self.curve[-1][2] > highest:
            self.best = step
            return True
        self.over = step - self.best >= PATIENCE * LOOK
        return False


def work_of(config: StudyConfig, lesson: Lesson) -> int:
    """Samples that a training goes through at most."""
    return steps_of(config, lesson) * batch_for(config, len(lesson.inside))


class Tail:
    """Running mean of an adapter over the last `WINDOW` states that were added: what a judge is. Steps of a constant
    rate wander around what they have learnt; the mean is as good as several judges and costs one."""

    def __init__(self) -> None:
        self.mean = dict[str, "torch.Tensor"]()
        self._seen = 0

    def add(self, state: "dict[str, torch.Tensor]") -> None:
        """Take the adapter as it is now."""
        self._seen += 1
        share = 1 / min(self._seen, WINDOW)
        self.mean = {name: self.mean[name].lerp(value, share) if self.mean else value for name, value in state.items()}


def train_judge(study: Study, lesson: Lesson, school: School, progress: Progress) -> None:
    """Train one judge; write its adapter and how it went. Raises Cancelled, and JobError where nothing can teach it or
    its losses are no numbers."""
    from cadc.models import adapter_state
    from cadc.training.loop import fresh_adapter, train
    from cadc.training.schedule import plan, rate

    config, vlm = study.config, school.vlm
    seed = config.seed * 100 + lesson.number
    fresh_adapter(vlm, seed)
    inside, outside = (_teachable(school, rows) for rows in (lesson.inside, lesson.outside))
    if not inside:
        raise JobError("no target sample can teach a judge: none can be encoded, or none has a finite loss. See the "
                       "Data page, or set judges=0.")
    asked, batch = steps_of(config, lesson), batch_for(config, len(inside))
    rows = np.array(inside)[plan(len(inside), None, steps=asked, batch=batch, seed=seed)]
    watch, tail, made = Watch(), Tail(), list[float]()
    kept = dict[str, "torch.Tensor"]()
    rates = [rate(step, config.learning_rate, RISE) for step in range(asked)]
    for loss in train(vlm, school.bank, rows.tolist(), rates):
        made.append(round(loss, 5))
        progress.step(batch, loss=loss)
        if not np.isfinite(loss):
            raise JobError(f"judge {lesson.number + 1} went astray: the loss of step {len(made)} is not a finite "
                           "number. Lower learning_rate, choose another precision, or set judges=0.")
        if len(made) % EVERY == 0 or len(made) == asked:
            tail.add(adapter_state(vlm))
        if outside and len(made) % LOOK == 0 and watch.look(len(made), _losses(school, outside, tail)):
            kept = tail.mean
        if watch.over and not config.judge_steps:
            break
    chosen = kept and not config.judge_steps
    progress.step(work_of(config, lesson) - len(made) * batch)
    _write(study, lesson, kept if chosen else tail.mean, {
        "step": watch.best if chosen else len(made), "losses": made, "curve": watch.curve,
        "taught": sorted(school.feed.samples[row].index for row in inside)})


def _teachable(school: School, rows: Sequence[FeedRow]) -> list[FeedRow]:
    """Those that can be encoded and have a finite loss under the base; the pass over the target reports the others."""
    from cadc.training.loop import losses

    usable = school.bank.usable(rows)
    finite = losses(school.vlm, school.bank, usable).isfinite().tolist()
    if len(usable) < len(rows) or not all(finite):
        log.warning("%d of %d target samples do not teach: not encodable, or without a finite loss",
                    len(rows) - sum(finite), len(rows))
    return [row for row, fine in zip(usable, finite, strict=True) if fine]


def _losses(school: School, rows: Sequence[FeedRow], tail: Tail) -> np.ndarray:
    """float32 [len(rows)]: losses under the mean adapter; the one that is being trained is put back."""
    from cadc.models import adapter_state, load_adapter_state
    from cadc.training.loop import losses

    now = adapter_state(school.vlm)
    load_adapter_state(school.vlm, tail.mean)
    found = losses(school.vlm, school.bank, rows).numpy()
    load_adapter_state(school.vlm, now)
    return found


# ---- files -----------------------------------------------------------------------------------------------------------
def adapter_file(number: int) -> str:
    """Adapter of judge 0 … judges-1, below the job's result folder."""
    return f"judge-{number + 1}.safetensors"


def _write(study: Study, lesson: Lesson, state: "dict[str, torch.Tensor]", facts: dict[str, object]) -> None:
    """The adapter, then what it took with the adapter's checksum: only both together count."""
    result = study.result("judge")
    path = result.folder / adapter_file(lesson.number)
    write_tensors(path, state, {"key": result.key})
    write_sealed(path.with_suffix(".json"), facts | {"number": lesson.number, "key": result.key,
                                                     "source": result.source, "sha256": file_digest(path)})


def read_judge(study: Study, number: int) -> Judge | None:
    """A judge that is made; None for one that is not there, not whole, or of another target: it is made (again)."""
    result = study.result("judge")
    path = result.folder / adapter_file(number)
    found = read_sealed(path.with_suffix(".json"))
    if found is None or (found["key"], found["source"]) != (result.key, result.source):
        return None
    if not path.exists() or file_digest(path) != found["sha256"]:
        return None
    return Judge(number=number, step=found["step"], losses=tuple(found["losses"]),
                 curve=tuple((int(step), float(loss), float(sure)) for step, loss, sure in found["curve"]),
                 taught=tuple(found["taught"]), sha256=found["sha256"])


def summary(judges: Sequence[Judge]) -> dict[str, object]:
    """JSON value of `judge.json`: folds, and how each training went."""
    return {"judges": [{key: value for key, value in asdict(one).items() if key != "taught"} | {
        "taught": len(one.taught)} for one in judges], "folds": fold_count(len(judges))}

"""Which rows every arm of a request trains on, for how many steps, and which samples it is scored on."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cadc.curation.curriculum import curate
from cadc.curation.inputs import CurationInputs
from cadc.data.contamination import picture_hashes, repeats_target
from cadc.data.indices import FileIndex
from cadc.errors import DataError, JobError
from cadc.evaluation.arms import ARMS, UNTRAINED
from cadc.evaluation.context import SelectionContext, TrainingRows
from cadc.evaluation.material import Material
from cadc.evaluation.request import Request, RowList, Run, hash_of, trained_on
from cadc.evaluation.split import SAME, scored_samples
from cadc.gradients.choice import gradient_samples
from cadc.study import Study


def compose(study: Study, request: Request, inputs: CurationInputs) -> Request:
    """Let every arm choose, at every budget and for every seed, and name the runs.

    Raises DataError for an arm that this study cannot have, JobError for one without a row.
    """
    from cadc.data import read_samples

    settings = request.settings
    pool, target = (read_samples(study.samples_file(role)) for role in ("pool", "target"))
    in_means, single = gradient_samples(study.config, target)
    split = scored_samples([s.unit or s.id for s in target], in_means=in_means, single=single,
                           at_most=settings.samples_per_unit)
    by_index = {s.index: s for s in pool}
    scored_rows = [by_index[FileIndex(int(i))] for i in inputs.scores.index]
    contaminated = repeats_target(scored_rows, target, picture_hashes(study))
    material = Material(study, inputs, contaminated)
    require_arms(settings.arms, material)
    scored = tuple(target[p].index for p in split.positions)
    lists: dict[str, RowList] = {}
    runs: list[Run] = []
    notes = _notes(split.kind, int(contaminated.sum()))
    for budget in settings.budgets or (inputs.settings.budget,):
        own, said = _at(material, request, scored, budget, lists)
        runs += own
        notes += [note for note in said if note not in notes]
    runs.sort(key=lambda run: settings.seeds.index(run.seed))
    return replace(request, runs=tuple(runs), row_lists=lists, scored=scored, held_out=split.kind, notes=tuple(notes))


def require_arms(arms: Iterable[str], material: Material) -> None:
    """Raises DataError for an arm that nobody knows or that this study cannot have."""
    for arm in arms:
        if why := ARMS[arm].available(material):
            raise DataError(f"arm {arm!r} cannot be run on this study: {why}. Leave it out.")


def _notes(kind: str, contaminated: int) -> list[str]:
    """What a reader of the result must know."""
    notes = []
    if kind == SAME:
        notes.append("The target is too small to keep samples back: arms are scored on the samples whose gradients "
                     "chose the curriculum, which favours it.")
    if contaminated:
        notes.append(f"{contaminated} pool rows repeat a target sample and are left out of every arm.")
    return notes


def _at(material: Material, request: Request, scored: tuple[int, ...], budget: float,
        lists: dict[str, RowList]) -> tuple[list[Run], list[str]]:
    """Runs at one budget, and what must be said about their sizes. Row lists are added to `lists`."""
    settings, index = request.settings, np.asarray(material.scores.index)
    rows = curate(replace(material.inputs, settings=replace(material.inputs.settings, budget=budget))).rows
    context = SelectionContext(index=index, allowed=~material.barred, curriculum=rows["position"].to_numpy(np.int64),
                               stages=rows["stage"].to_numpy(np.int64), seed=0, asked=budget, material=material)
    share = round(budget if budget <= 1 else budget / len(index), 6)
    runs, sizes = [], {}
    for arm in settings.arms:
        chosen = None
        for seed in settings.seeds if arm != UNTRAINED else settings.seeds[:1]:
            if chosen is None or ARMS[arm].seeded:
                chosen = ARMS[arm].select(replace(context, seed=seed))
            _check(arm, chosen, context)
            name = _list(chosen, index, lists)
            sizes[arm] = len(set(lists[name]["index"]))
            steps = 0 if arm == UNTRAINED else settings.steps_for(sizes[arm], context.budget)
            runs.append(Run(arm=arm, seed=seed, rows=name, steps=steps, budget=share,
                            key=_key(material.study, request, name, scored, seed, steps)))
    fewer = [f"{arm} {size:,}" for arm, size in sizes.items() if arm not in ("base", "full") and size != context.budget]
    notes = [f"At {100 * share:g} % of the pool the curriculum has {context.budget:,} rows; with another number, since "
             f"its rule finds no more: {', '.join(fewer)}."] if fewer else []
    return runs, notes


def _check(arm: str, chosen: TrainingRows, context: SelectionContext) -> None:
    """No arm trains on what it is scored on, and every arm has something to train on."""
    if arm != UNTRAINED and not len(chosen.positions):
        raise JobError(f"arm {arm!r} has no rows to train on. Raise the budget on Curriculum.")
    if not context.allowed[chosen.positions].all():
        raise DataError(f"arm {arm!r} took rows that repeat a target sample. It must keep to `allowed` of what it is "
                        "given.")


def _list(chosen: TrainingRows, index: np.ndarray, lists: dict[str, RowList]) -> str:
    """A choice as JSON: positions become rows of the pool file, which do not move when scores are made anew."""
    rows = RowList(index=[int(i) for i in index[chosen.positions]],
                   stages=None if chosen.stages is None else [int(s) for s in chosen.stages],
                   shuffled=chosen.stages is None and chosen.shuffled)
    name = hash_of(rows)[:12]
    lists[name] = rows
    return name


def _key(study: Study, request: Request, rows: str, scored: tuple[int, ...], seed: int, steps: int) -> str:
    """Everything that the numbers of a run depend on."""
    settings = request.settings
    question = {"study": trained_on(study), "rows": rows, "scored": scored, "seed": seed if steps else 0,
                "steps": steps, "batch": settings.batch, "learning_rate": settings.learning_rate,
                "rise": settings.rise, "max_new_tokens": settings.max_new_tokens}
    if settings.products != "float32":  # what was computed before there was a choice keeps its key
        question["products"] = settings.products
    return hash_of(question)[:16]

"""How alike target units are, by any signal: what a map can be drawn from (METHOD §3). The table; a signal that offers
`units` (`cadc.signals`) is in it by itself.

M target units, S single target samples, T checkpoints, F features.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from cadc.discovery import rivals
from cadc.discovery.similarity import similarity, unit_gram
from cadc.errors import DataError, JobError
from cadc.scores.scores import Scores
from cadc.signals import SIGNALS
from cadc.signals.gradients import samples
from cadc.study import JOBS, Study, StudyConfig
from cadc.study.registry import Registry

log = logging.getLogger(__name__)

Again = Callable[[np.ndarray], np.ndarray]
"""From positions of drawn samples (0…n-1, each as often as it was drawn) to S, float64 [M, M]."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """The similarity of a study's units by one signal."""

    whole: np.ndarray
    """S, float64 [M, M], symmetric, in [−1, 1], diagonal 1."""
    unit: np.ndarray | None = None
    """int [n]: unit of each of the n samples that `again` draws from; None where the signal has no samples."""
    again: Again | None = None
    """S of samples drawn again."""


@dataclass(frozen=True, kw_only=True)
class UnitSimilarity:
    """A way to say how alike units are."""

    name: str
    about: str
    """A few words for a person."""
    open: Callable[[Study, Scores], Units]
    """Raises JobError when what it needs is not there, DataError when the study cannot have it."""
    needs: tuple[str, ...] = ()
    """Jobs whose results it reads."""
    offered: Callable[[StudyConfig], str] = lambda config: ""
    """'' where a study with these settings can have it, else a sentence why it cannot."""


def open_units(study: Study, scores: Scores, name: str) -> Units:
    """The similarity of this name. Raises DataError with the reason where the study cannot have it, JobError with the
    command where it was not computed."""
    about = SIMILARITIES[name]
    if why := about.offered(study.config):
        raise DataError(f"this study has no similarity {name!r} of its units: {why}")
    return about.open(study, scores)


def lacking(study: Study, name: str) -> tuple[str, ...]:
    """Jobs that must run before units can be compared by this signal; () where it is ready."""
    return tuple(job for job in SIMILARITIES[name].needs if not study.finished(job))


def default_signal(study: Study, scores: Scores) -> str:
    """What a map is drawn from as long as nobody has chosen: the embedding, with gradients and without, so that a map
    and its names outlive the gradients' coming (decision 0030). Plain gradients for the preset `paper` and for a study
    of an earlier version, whose names were given on that map; the questions' words where nothing else is there."""
    embedded = study.finished("embedding") and not _can_embed(study.config)  # an arm of a comparison may have made it
    earlier = not study.config.answer_states
    if scores.has_gradients and (study.config.preset == "paper" or earlier or not embedded):
        return "plain"
    return "embedding" if embedded else "words"


# ---- gradients -------------------------------------------------------------------------------------------------------
def _counts(drawn: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """float [S]: weight of each sample in the mean of its unit."""
    times = np.bincount(drawn, minlength=len(unit)).astype(np.float64)
    total = np.bincount(unit, weights=times)[unit]
    return np.divide(times, total, out=np.zeros_like(times), where=total > 0)


def _gradient(scores: Scores, gram: np.ndarray) -> Units:
    """Single gradients are drawn again with unit length, plain ones also for the grounded map: grounded gradients
    exist for units only."""
    unit, units = np.asarray(scores.sample_unit), len(scores.units)

    def again(drawn: np.ndarray) -> np.ndarray:
        return similarity(unit_gram(scores.sample_gram, unit, _counts(drawn, unit), units), scores.eta)

    return Units(whole=similarity(gram, scores.eta), unit=unit, again=again)


def _plain(study: Study, scores: Scores) -> Units:
    if not scores.has_gradients:
        study.require("scores")
    return _gradient(scores, scores.gram)


def _grounded(study: Study, scores: Scores) -> Units:
    if not scores.has_grounded:
        raise DataError("this study has no grounded target gradients. Use the plain signal, or run it with "
                        "grounded=true.")
    return _gradient(scores, scores.gram_grounded)


def _whitened(study: Study, scores: Scores) -> Units:
    """Mean k between the samples of two units, each left out of the metric in its turn; weighted mean over
    checkpoints."""
    if not scores.has_gradients:
        study.require("scores")
    try:
        kernel = samples(study, "whitened", scores.eta)
    except KeyError as error:
        raise JobError(f"the target gradients of study {study.name!r} have no whitened products. Make them again "
                       f"(`python -m cadc run {study.name} --again targets`).") from error
    return between_samples(kernel, np.asarray(scores.sample_unit), len(scores.units))


def between_samples(kernel: np.ndarray, unit: np.ndarray, units: int) -> Units:
    """Units by the mean kernel [S, S] between their samples, both directions."""
    def again(drawn: np.ndarray) -> np.ndarray:
        return _bounded(unit_gram(kernel[None], unit, _counts(drawn, unit), units)[0])

    return Units(whole=again(np.arange(len(unit))), unit=unit, again=again)


def _bounded(similar: np.ndarray) -> np.ndarray:
    """Symmetric, in [−1, 1], diagonal 1."""
    found = np.clip((similar + similar.T) / 2, -1, 1)
    np.fill_diagonal(found, 1.0)
    return found


# ---- without gradients -----------------------------------------------------------------------------------------------
def of_features(rows: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """Cosine of unit means of rows [n, F], the mean over units taken off first: float64 [M, M]."""
    means = np.stack([rows[unit == m].mean(0) if (unit == m).any() else np.zeros(rows.shape[1]) for m in range(units)])
    means = means.astype(np.float64) - means.mean(0)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return _bounded(means @ means.T)


def _embedding(study: Study, scores: Scores) -> Units:
    from cadc.signals.embedding import embeddings

    study.require("embedding")  # else it would be computed here
    rows = embeddings(study, "target", np.asarray(scores.sample_index)).astype(np.float64)
    rows = rows - rows.mean(0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return _drawn(scores, lambda part, unit, units: of_features(rows[part], unit, units))


def _words(study: Study, scores: Scores) -> Units:
    texts = [one["question"] or "" for one in _samples(study, scores)]
    return _drawn(scores, lambda part, unit, units: rivals.words_similarity([texts[i] for i in part.tolist()], unit,
                                                                           units))


def _pictures(study: Study, scores: Scores) -> Units:
    looks = np.stack(list(_looks(study, scores)))
    return _drawn(scores, lambda part, unit, units: rivals.pictures_similarity(looks[part], unit, units))


def _drawn(scores: Scores, of: Callable[[np.ndarray, np.ndarray, int], np.ndarray]) -> Units:
    """Units by a function of drawn samples [n], the unit of each, and M."""
    unit, units = np.asarray(scores.sample_unit), len(scores.units)

    def again(drawn: np.ndarray) -> np.ndarray:
        return of(np.asarray(drawn), unit[drawn], units)

    return Units(whole=again(np.arange(len(unit))), unit=unit, again=again)


def _samples(study: Study, scores: Scores) -> list[dict]:
    """The single target samples, in the order of the scores."""
    from cadc.data import read_table

    table = read_table(study.samples_file("target")).set_index("index", drop=False)
    return table.loc[np.asarray(scores.sample_index)].to_dict("records")


def _looks(study: Study, scores: Scores) -> Iterator[np.ndarray]:
    """Features of each sample's first picture; nan where it has none or it is gone."""
    from cadc.data import PictureLimits, open_images, read_samples

    by_index = {sample.index: sample for sample in read_samples(study.samples_file("target"))}
    gone = 0
    for index in np.asarray(scores.sample_index).tolist():
        try:
            found = open_images(by_index[index], study.image_root("target"), study.ingest_images("target"),
                                PictureLimits.of(study.config))
        except DataError:
            gone, found = gone + 1, []
        yield rivals.picture_features(found[0]) if found else np.full(rivals.FEATURES, np.nan)
    if gone:
        log.warning("pictures of %d target samples are gone: counted as samples without one", gone)


def _transfer(study: Study, scores: Scores) -> Units:
    """Held-out losses are drawn again."""
    from cadc.discovery.transfer import aligned, similarity_of
    from cadc.discovery.transfer_job import measured

    found = measured(study)

    def again(drawn: np.ndarray) -> np.ndarray:
        weight = np.bincount(drawn, minlength=len(found.unit))
        return similarity_of(aligned(found.drop(weight), found.units, scores.units))

    return Units(whole=again(np.arange(len(found.unit))), unit=found.unit, again=again)


# ---- the table -------------------------------------------------------------------------------------------------------
def _signals() -> Iterator[UnitSimilarity]:
    """Signals that offer a similarity of units and are not among the entries below."""
    for signal in SIGNALS.values():
        if signal.units is not None and signal.name != "gradients":  # `plain` here
            yield UnitSimilarity(name=signal.name, about=signal.about, needs=(signal.needs,) if signal.needs else (),
                                 open=_without_samples(signal.units))


def _without_samples(units: Callable[[Study, Scores], np.ndarray]) -> Callable[[Study, Scores], Units]:
    return lambda study, scores: Units(whole=units(study, scores))


def _can_whiten(config: StudyConfig) -> str:
    return "" if config.whitens else ("whitened products need whitened=true with features=adam or sgd and landmarks=1; "
                                      "another study can have them.")


def _can_ground(config: StudyConfig) -> str:
    return "" if config.grounded else "it runs with grounded=false; another study can have them."


def _can_embed(config: StudyConfig) -> str:
    return "" if JOBS["embedding"].wanted(config) else "nearness names no signal of the untrained base's hidden states."


SIMILARITIES: Registry[UnitSimilarity] = Registry("similarity of units", (
    UnitSimilarity(name="plain", about="target gradients as they are", open=_plain, needs=("scores",)),
    UnitSimilarity(name="grounded", about="target gradients without what the words alone teach", open=_grounded,
                   needs=("scores",), offered=_can_ground),
    UnitSimilarity(name="whitened", about="target gradients without the directions that all share", open=_whitened,
                   needs=("scores",), offered=_can_whiten),
    UnitSimilarity(name="embedding", about="last hidden states of the untrained base", open=_embedding,
                   needs=("embedding",), offered=_can_embed),
    UnitSimilarity(name="words", about="words of the questions", open=_words),
    UnitSimilarity(name="pictures", about="what the pictures look like", open=_pictures),
    UnitSimilarity(name="transfer", about="measured: what training on one unit does for another", open=_transfer,
                   needs=("transfer",)),
), derived=_signals)
"""Every known similarity of units."""

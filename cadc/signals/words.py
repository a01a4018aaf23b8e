"""Words as a signal: TF-IDF of question and answer; blind to pictures, and the control that templates favour."""

from typing import TYPE_CHECKING

import numpy as np

from cadc.data import read_table
from cadc.scores.scores import Scores
from cadc.signals.signal import Signal
from cadc.signals.similarity import Similarity, cosines
from cadc.study import Study

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


def word_features(pool: list[str], target: list[str]) -> "tuple[csr_matrix, csr_matrix]":
    """TF-IDF rows (unit norm) of pool and target texts, fitted on both: sparse [N, F], [S, F] (METHOD §4)."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(token_pattern=r"(?u)\w+", sublinear_tf=True, dtype=np.float32)
    try:
        rows = vectors.fit_transform([*pool, *target])
    except ValueError:  # no word anywhere: every row is as near as any other
        rows = csr_matrix((len(pool) + len(target), 1), dtype=np.float32)
    return rows[:len(pool)].tocsr(), rows[len(pool):].tocsr()


def texts(study: Study, role: str, index: np.ndarray) -> list[str]:
    """Question and answer of these rows of 'pool' or 'target'."""
    table = read_table(study.samples_file(role)).set_index("index").loc[np.asarray(index)]
    return (table["question"].fillna("") + " " + table["answer"].fillna("")).tolist()


def _open(study: Study, scores: Scores) -> Similarity:
    return cosines(*word_features(texts(study, "pool", scores.index), texts(study, "target", scores.sample_index)))


SIGNAL = Signal(name="words", about="words (TF-IDF), no gradient", open=_open, reads="question and answer")

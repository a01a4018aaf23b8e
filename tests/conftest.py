"""Small studies for tests: scores with known gradients, tiny models that learn, and the golden study of the first
version. What several files need is made once per run (`once`)."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from once import once
from threadpoolctl import threadpool_limits

from cadc.scores.scores import Scores
from cadc.study import Study


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: processes take one file after the other, in this order."""
    items.sort(key=lambda item: not any(item.get_closest_marker(name) for name in ("e2e", "long")))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker process: the last bit of a matrix product hangs on how many threads share it."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def _own_main() -> Iterator[None]:
    """AppTest leaves its page as `__main__`, which every process that `multiprocessing` spawns afterwards would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@dataclass(frozen=True, kw_only=True)
class Made:
    """Scores and the float64 gradients that they were computed from."""

    scores: Scores
    pool: pd.DataFrame  # more rows than have scores
    targets: pd.DataFrame
    features: np.ndarray  # [T, N, P] Γ_t(z)
    samples: np.ndarray  # [T, S, P] g_t(z'), P parameters
    unit_means: np.ndarray  # [T, M, P] ḡ_t(s)
    single: np.ndarray  # [N, S] Inf(z, z')


def _make(rows: int = 240, units: int = 8, checkpoints: int = 3, per_unit: int = 4, best: int = 24, groups: int = 4,
          seed: int = 0) -> Made:
    """Units of one group (m mod `groups`) share a direction; a pool row leans to one group."""
    rng = np.random.default_rng(seed)
    width, near_q, of = 40, 2, np.repeat(np.arange(units), per_unit)
    centre = rng.normal(size=(checkpoints, groups, width))
    loud = rng.uniform(0.3, 3, size=units)
    samples = loud[of][:, None] * (centre[:, of % groups] + rng.normal(size=(checkpoints, len(of), width)))
    means = np.stack([samples[:, of == m].mean(1) for m in range(units)], 1)
    features = centre[:, rng.integers(0, groups, rows)] + 1.5 * rng.normal(size=(checkpoints, rows, width))
    eta = np.linspace(3e-3, 1e-3, checkpoints)
    unit_length = features / np.linalg.norm(features, axis=2, keepdims=True)
    single_length = samples / np.linalg.norm(samples, axis=2, keepdims=True)
    single = np.einsum("t,tnp,tsp->ns", eta / eta.sum(), unit_length, single_length)
    near = np.stack([np.sort(single[:, of == m], 1)[:, -near_q:].mean(1) for m in range(units)])
    winner = np.stack([np.flatnonzero(of == m)[single[:, of == m].argmax(1)] for m in range(units)])
    listed = np.argsort(-single, axis=0, kind="stable")[:best].T
    grounded = means - means.mean(1, keepdims=True)
    f = np.float32
    scores = Scores(
        index=np.arange(rows) * 2 + 1, eta=eta.astype(f), dots=np.einsum("tnp,tmp->tmn", unit_length, means).astype(f),
        dots_grounded=np.einsum("tnp,tmp->tmn", unit_length, grounded).astype(f), near=near.astype(f),
        winner=winner.astype(np.int32), loss=rng.gamma(2, 1, (rows, checkpoints)).astype(f),
        gradient_norm=rng.gamma(3, 1, (rows, checkpoints)).astype(f),
        feature_norm=np.linalg.norm(features, axis=2).T.astype(f), tokens=np.ones(rows, np.int32),
        best_index=listed.astype(np.int32), best_value=np.take_along_axis(single.T, listed, 1).astype(f),
        gram=np.einsum("tmp,tnp->tmn", means, means).astype(f),
        gram_grounded=np.einsum("tmp,tnp->tmn", grounded, grounded).astype(f),
        sample_gram=np.einsum("tap,tbp->tab", single_length, single_length).astype(f),
        sample_unit=of.astype(np.int32), sample_index=np.arange(len(of)) * 3,
        units=tuple(f"unit {m}" for m in range(units)))
    total = 2 * rows + 1
    pool = pd.DataFrame({"index": np.arange(total), "id": [f"r{i}" for i in range(total)],
                         "source": rng.choice(["charts", "scenes", "chat"], total, p=[.6, .3, .1]),
                         "group": rng.integers(0, int(total * 0.8), total)})
    targets = pd.DataFrame({"index": np.arange(3 * len(of)), "id": [f"t{i}" for i in range(3 * len(of))]})
    return Made(scores=scores, pool=pool, targets=targets, features=features, samples=samples, unit_means=means,
                single=single)


@pytest.fixture(scope="session")
def make_scores() -> Callable[..., Made]:
    """`make_scores(rows=…, units=…, checkpoints=…, per_unit=…, best=…, groups=…, seed=…)`."""
    return _make


@pytest.fixture(scope="session")
def made(make_scores) -> Made:
    """240 rows, 8 units in 4 groups, T = 3, 32 target samples."""
    return make_scores()


@pytest.fixture
def golden(tmp_path: Path):
    """The first version's study, its cache and what came out of it: a copy of one's own (`tests/golden`)."""
    from first_version import unpack

    return unpack(tmp_path / "golden")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Its study `small` computed anew by this version, under `new/` beside its data (shared: do not write into it)."""
    from first_version import unpack

    from cadc.jobs.engines import EngineSettings
    from cadc.jobs.worker import run

    def make(folder: Path) -> None:
        made = unpack(folder)
        study = Study.create("small", made.config(), created="2026-01-01T00:00:00", root=made.root / "new")
        assert run(study, "", EngineSettings(workers=1)), "a job failed; its log is in the study's folder"

    return Study.open("small", root=once(tmp_path_factory, "small", make) / "new")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with pool.json, target.json, pictures/ and model/ (a tiny Idefics3 of three layers); not to be changed."""
    from tiny_study import write_data
    from tiny_vlm import idefics3

    def make(folder: Path) -> None:
        write_data(folder)
        idefics3(folder / "model", layers=3)

    return once(tmp_path_factory, "data", make)


@pytest.fixture(scope="session")
def ready(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of that data with warm-up and targets done (shared: copy it before writing)."""
    from tiny_study import make_study, work

    root = once(tmp_path_factory, "ready", lambda folder: work(make_study(data, folder), "targets"))
    return Study.open("tiny", root=root)


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Coloured squares by gradients alone, every job done (shared: copy it before writing)."""
    from squares import finished_squares

    return Study.open("squares", root=once(tmp_path_factory, "squares", finished_squares) / "cache")


@pytest.fixture(scope="session")
def quick_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Coloured squares without gradients: preset `quick`, every usual job done (shared: copy it before writing)."""
    from squares import quick_squares

    return Study.open("squares", root=once(tmp_path_factory, "quick", quick_squares) / "cache")


@pytest.fixture(scope="session")
def falling(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of which some rows fall out (`tests/made/falling.py`), every job done by a worker (shared: copy it before
    writing); its data lie beside its cache."""
    from falling import make_study, write_data

    from cadc.jobs.engines import EngineSettings
    from cadc.jobs.worker import run

    def make(folder: Path) -> None:
        write_data(folder)
        assert run(make_study(folder, folder / "cache"), "", EngineSettings(workers=1)), "its log is in its folder"

    return Study.open("falling", root=once(tmp_path_factory, "falling", make) / "cache")


@pytest.fixture
def own_copy(tmp_path: Path) -> Callable[..., Study]:
    """`own_copy(study)`: the same study under a cache root of the test's own."""
    def copy(study: Study, place: str = "cache") -> Study:
        shutil.copytree(study.root, tmp_path / place)
        return Study.open(study.name, root=tmp_path / place)

    return copy

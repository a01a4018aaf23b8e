"""A signal, a job, an export format, a preset and an arm, each from one file outside the package, are found in the
command line, the pages and the estimate, and do their work."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cadc.study import Study

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "toy_signal": '''
"""How alike two answers are in length."""
import numpy as np
from cadc.data import read_table
from cadc.signals import SIGNALS
from cadc.signals.signal import Signal
from cadc.signals.similarity import Similarity

def lengths(study, role, index):
    table = read_table(study.samples_file(role)).set_index("index")
    return table.loc[index, "answer"].str.len().to_numpy(np.float32)

def similarity(study, scores):
    pool, target = lengths(study, "pool", scores.index), lengths(study, "target", scores.sample_index)
    return Similarity(len(pool), lambda start, stop: -abs(pool[start:stop, None] - target),
                      lambda rows, sample: -abs(pool[rows] - target[sample]), -abs(target[:, None] - target))

SIGNALS.add(Signal(name="toy-length", about="length of the answer", open=similarity))
''',
    "toy_job": '''
"""How many rows of each unit are nearest to it."""
import numpy as np
from cadc.estimate.costs import Cost, Memory
from cadc.scores.influence import InfluenceColumns
from cadc.scores.scores import Scores
from cadc.study import JOBS
from cadc.study.files import write_array
from cadc.study.jobs import Job

def run(study, progress):
    scores = Scores.load(study)
    progress.start(len(scores.index))
    result = study.result("toy-census")
    write_array(result.folder / "census.npy",
                np.bincount(InfluenceColumns(scores).nearest(), minlength=len(scores.units)))
    result.finish()
    progress.step(len(scores.index))

def cost(work, prices):
    return Cost(price=work.sizes.pool * prices.known_row, disk_mb=1.5, memory=Memory(like="warmup"))

JOBS.add(Job(name="toy-census", about="counts the rows of each unit", run="toy_job:run", after=("scores", "near"),
             cost="toy_job:cost", names=(("census.npy", "the census"),)))
''',
    "toy_format": '''
"""Question and answer alone."""
from cadc.export import FORMATS, Format

FORMATS.add(Format(name="toy-pairs", about="question and answer", training=lambda outline: "Read them in order.",
                   render=lambda sample, shown, raw: {"q": sample.turns[0].text, "a": sample.turns[-1].text}))
''',
    "toy_preset": '''
"""The last row of the pool first."""
import numpy as np
from cadc.curation import PRESETS, Preset

def influence(columns, of_unit, *, signal="plain", scale="unit"):
    return columns.by_near(of_unit)

def pick(rows):
    for position in np.flatnonzero(rows.inside)[::-1].tolist():
        yield position, -1, float(rows.influence[position]), "late"

PRESETS.add(Preset(name="toy-backwards", about="the last row first", measures="as studio does", near="joined",
                   influence=influence, pick=pick,
                   settings={"rule": "uniform", "staging": "hard", "loss_quantile": 1.0, "drop_loss_share": 0.0}))
''',
    "toy_arm": '''
"""The first rows of the pool."""
import numpy as np
from cadc.evaluation import ARMS, Arm, TrainingRows

ARMS.add(Arm(name="toy-first", about="the first rows of the pool",
             select=lambda context: TrainingRows(positions=np.flatnonzero(context.allowed)[:context.budget])))
''',
}
PAGES = '''
import json
import sys
from streamlit.testing.v1 import AppTest

def opened(name):
    page = AppTest.from_file(f"pages/{name}.py", default_timeout=120)
    page.query_params["study"] = "toyed"
    page.run()
    assert not page.exception, page.exception
    return page

def options(page, label):
    return next(list(found.options) for kind in (page.segmented_control, page.multiselect, page.selectbox)
                for found in kind if found.label == label)

jobs, influence, curriculum, evaluation = map(
    opened, ("2_trajectories", "4_influence", "5_curriculum", "6_evaluation"))
print(json.dumps({
    "jobs": [m.value for m in jobs.markdown] + [t.value for t in jobs.text] + [c.value for c in jobs.caption]
            + [json.dumps(t.value.astype(str).reset_index().values.tolist()) for t in jobs.table],
    "influence presets": options(influence, "Preset"), "curriculum presets": options(curriculum, "Preset"),
    "formats": options(curriculum.segmented_control(key="details").set_value("Export").run(), "Trainer"),
    "arms": options(evaluation, "Arms")}))
'''


@pytest.fixture(scope="module")
def toyed(finished_study, tmp_path_factory) -> tuple[Study, dict[str, str]]:
    """A copy of the squares with a second study of theirs that asks for every toy; the environment that knows them."""
    import shutil

    here = tmp_path_factory.mktemp("toys")
    shutil.copytree(finished_study.root, here / "cache")
    for name, text in FILES.items():
        (here / f"{name}.py").write_text(text)
    environment = os.environ | {"CADC_PLUGINS": ",".join(FILES), "PYTHONPATH": f"{here}{os.pathsep}{ROOT}",
                                "CADC_CACHE": str(here / "cache")}
    config = replace(Study.open("squares", root=here / "cache").config, preset="toy-backwards",
                     nearness="gradients+toy-length")
    study = Study.create("toyed", config, created="2030-01-01T00:00:00", root=here / "cache")
    _cadc(environment, "run", "toyed", "--workers", "1")
    return study, environment


def _cadc(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "cadc", *arguments], env=environment, cwd=ROOT, text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_line_lists_every_toy_and_offers_it(toyed):
    _, environment = toyed
    listed = _cadc(environment, "tables")
    for name in ("toy-length", "toy-census", "toy-pairs", "toy-backwards", "toy-first"):
        assert f"  {name} " in listed
    arms = _cadc(environment, "tables", "arms")
    assert "toy-first " in arms and "toy-length " in arms, "every signal is an arm"
    assert "toy-backwards" in _cadc(environment, "new", "--help")
    assert "toy-pairs" in _cadc(environment, "export", "--help")
    assert "toy-census" in _cadc(environment, "run", "--help")


def test_jobs_and_signal_were_computed_and_nothing_else_anew(toyed):
    study, environment = toyed
    states = {s["job"]: s for s in json.loads(_cadc(environment, "status", "toyed", "--json"))["jobs"]}
    assert states["toy-census"]["state"] == states["near"]["state"] == "done"
    assert study.result("scores").key == Study.open("squares", root=study.root).result("scores").key
    assert (study.result("near").folder / "near.joined.npy").exists()
    assert list(study.root.glob("results/toy-census/*/census.npy"))


def test_the_estimate_prices_the_job(toyed):
    _, environment = toyed
    assert "toy-census" in _cadc(environment, "estimate", "toyed", "--device", "h100")
    found = json.loads(_cadc(environment, "estimate", "toyed", "--device", "h100", "--json"))
    assert found["jobs"]["toy-census"]["disk_mb"] == 1.5 and "near" in found["jobs"]


def test_the_export_is_in_the_toy_format_by_the_toy_preset(toyed, tmp_path):
    _, environment = toyed
    _cadc(environment, "export", "toyed", "--out", str(tmp_path), "--for", "toy-pairs", "--budget", "20%")
    rows = [json.loads(line) for line in (tmp_path / "curriculum.jsonl").read_text().splitlines()]
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(rows) == 12 and set(rows[0]) == {"q", "a"}
    assert (manifest["preset"], manifest["format"]) == ("toy-backwards", "toy-pairs")


def test_the_pages_offer_every_toy(toyed):
    _, environment = toyed
    done = subprocess.run([sys.executable, "-c", PAGES], env=environment, cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert any("counts the rows of each unit" in text for text in told["jobs"])
    assert "toy-backwards" in told["influence presets"] and "toy-backwards" in told["curriculum presets"]
    assert any("question and answer" in line for line in told["formats"])
    assert any("the first rows of the pool" in line for line in told["arms"])
    assert any("length of the answer" in line for line in told["arms"])

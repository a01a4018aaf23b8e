"""A study without gradients on every page, in the command line, exported and compared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from cadc.curation.workbench import open_workbench
from cadc.errors import DataError
from cadc.evaluation import EvaluationSettings, read_results, request_evaluation, run_evaluation
from cadc.export import export
from cadc.study.progress import Silent
from cadc.views.evaluation import arm_lines

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("1_data", "2_trajectories", "3_capabilities", "4_influence", "5_curriculum", "6_evaluation")


@pytest.fixture
def study(quick_study, own_copy, monkeypatch):
    """A copy of one's own, which the pages see."""
    copied = own_copy(quick_study)
    monkeypatch.setenv("CADC_CACHE", str(copied.root))
    yield copied
    st.cache_resource.clear()
    st.cache_data.clear()


def opened(name: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=120)
    page.query_params["study"] = "squares"
    page.run()
    assert not page.exception and not page.error, (page.exception, page.error)
    return page


def words(page: AppTest) -> str:
    return "\n".join(str(one.value) for kind in (page.text, page.caption, page.markdown, page.code) for one in kind)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens(study, name):
    opened(name)


def test_the_pages_say_what_gradients_would_show_and_how_to_get_them(study):
    page = opened("2_trajectories")
    assert "is the mean of 3 signals on one scale: embedding, embedding-whitened, answers." in words(page)
    assert "no page needs it" in words(page) and "short trainings of" in words(page), "transfer and its price"
    assert "This study has no gradients" in words(page) and "run squares --until near" in words(page)
    assert not next(b for b in page.button if b.label == "Add gradients").disabled
    assert "All jobs are done" in words(page) and "runs only when asked for" in words(page)
    page = opened("3_capabilities")
    assert "hidden states of the untrained base" in words(page)
    page.session_state["evidence"] = "Stability"
    page.run()
    next(b for b in page.button if b.label == "Test the stability").click()
    page.run()
    assert not page.exception and not page.error and page.metric[0].label == "mean adjusted Rand index"
    page = opened("4_influence")
    assert "(losses, self-influence) needs gradients" in words(page)
    assert list(next(c for c in page.segmented_control if c.label == "Preset").options) == ["quick", "studio"]
    next(c for c in page.segmented_control if c.label == "Preset").set_value("studio").run()
    assert not page.exception and "Without gradients studio reads the same signals as quick." in words(page)
    assert "1 is as near to a unit as its own samples are to each other" in words(page)
    page = opened("5_curriculum")
    assert "Judges are copies of the base" in words(page)
    assert page.button(key="draft-preset-paper").disabled and "Preset paper needs gradients" in words(page)
    page.segmented_control(key="draft-staging").set_value("soft").run()
    assert not page.exception and "The order by self-influence needs gradients" in words(page)
    table = next(f.value for f in page.dataframe if "serves" in f.value)
    assert len(table) and "self_influence" not in table and (table["serves"].str.len() > 0).all()
    page = opened("6_evaluation")
    offered = next(list(m.options) for m in page.multiselect if m.label == "Arms")
    assert not {one.partition(":")[0] for one in offered} & {"less", "icons", "bids", "paper", "gradients", "whitened"}
    assert "Not offered: " in words(page)


def test_the_command_line_says_where_it_stands(study):
    def cadc(*arguments: str, code: int = 0) -> str:
        done = subprocess.run([sys.executable, "-m", "cadc", *arguments], cwd=ROOT, text=True, capture_output=True,
                              env=os.environ | {"PYTHONPATH": str(ROOT)})
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    said = cadc("status", "squares")
    assert said.count("not asked for") >= 5 and "waiting" in said.split("evaluate")[1]
    found = json.loads(cadc("status", "squares", "--json"))
    assert found["complete"] and {j["job"] for j in found["jobs"] if j["on_request"]} >= {"warmup", "near"}
    assert "ready" in cadc("list")
    said = cadc("export", "squares", "--preset", "paper", "--out", str(study.root / "out"), code=2)
    assert "run squares --until near" in said


def test_it_is_exported_with_what_is_known(study, tmp_path):
    done = export(open_workbench(study).with_settings(budget="20%"), tmp_path)
    assert done.rows == 12 and done.manifest["gradients"] is False and done.manifest["near"] == "quick"
    rows = done.manifest["rows"]
    assert all(row["self_influence"] is None and row["measured"] is False and row["target_id"] for row in rows)
    assert "on the embedding." in (tmp_path / "README.md").read_text()


def test_arms_are_compared_and_those_of_gradients_refused(study):
    arms = ("cadc-mixed", "embedding", "quick", "quick-unfiltered")
    settings = EvaluationSettings(arms=arms, seeds=(0,), steps=2, batch=2, samples_per_unit=2,
                                  max_new_tokens=2, budgets=(0.2,))
    run_evaluation(study, Silent(), settings)
    result = read_results(study)[0]
    assert result.complete and set(result.table["arm"]) == set(arms)
    lines, missing = arm_lines(open_workbench(study))
    names = list(lines)
    assert (*names[:5], *names[5:7]) == (*EvaluationSettings().arms, "quick", "studio"), "what most people want first"
    bare = [name.endswith("-unfiltered") for name in names]
    assert any(bare) and bare == sorted(bare), "those without a filter last"
    for arm in ("less", "icons", "bids", "self-influence", "paper", "paper-mixed", "gradients", "whitened"):
        assert arm not in lines and arm in missing
        with pytest.raises(DataError, match=f"arm '{arm}' cannot be run on this study: it needs gradients"):
            request_evaluation(study, EvaluationSettings(arms=(arm,)))

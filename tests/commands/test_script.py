"""The journey of docs/commands.md: a script from the map to an export and a comparison, beside an open database."""

import json
import re
import subprocess
import sys
from pathlib import Path

from cadc.curation.workbench import open_workbench
from cadc.evaluation import read_results
from cadc.store import Store
from cadc.study import Study

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def script() -> str:
    """The block, with fewer steps and seeds."""
    block = re.search(r"<!-- a test runs this block -->\n```sh\n(.*?)```", PAGE, re.DOTALL)[1]
    assert block.count("--seeds 3 --steps 150") == 2
    return block.replace("--seeds 3 --steps 150", "--seeds 1 --steps 2 --batch 4 --scored 2")


def test_the_script_of_the_page_runs_beside_an_open_database(quick_study, own_copy, tmp_path, monkeypatch):
    study = own_copy(quick_study)
    study = Study.create("mine", study.config, created="2026-01-02T00:00:00", root=study.root)
    monkeypatch.setenv("CADC_CACHE", str(study.root))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    store = Store(study.root)
    try:
        store.load_study(study)
        head = f'set -eu\ncadc() {{ "{sys.executable}" -m cadc "$@"; }}\npython3() {{ "{sys.executable}" "$@"; }}\n'
        done = subprocess.run(["bash", "-c", head + script()], cwd=tmp_path, capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, done.stderr
        store.load_study(study)
        kinds = [d.kind for d in store.decisions(study) if not d.undone]
    finally:
        store.close()
    assert kinds == ["discover", "rename", "move", "curate", "curate"], "the map of the file was in force already"
    bench = open_workbench(study)
    assert "reading text" in bench.capabilities.names and bench.capabilities.k == 2
    assert (bench.settings.budget, bench.settings.staging, bench.settings.drop) == (0.1, "soft", (9,))
    assert json.loads((tmp_path / "curriculum.json").read_text())["rows"] == len(bench.curriculum.rows)
    assert (tmp_path / "curriculum" / "manifest.json").is_file() and "all is well" in done.stdout
    found = json.loads((tmp_path / "comparison.json").read_text())
    assert found["complete"] and (found["runs"], found["of"]) == (3, 3) and found["budgets"][0]["headline"]
    assert {row["arm"] for row in found["table"]} == {"base", "cadc", "random"}
    assert [result.id for result in read_results(study)] == [found["comparison"]]

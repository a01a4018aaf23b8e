"""An export format from one file outside the package."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.synthesise import synthesise

PLUGIN = '''
from cadc.export import FORMATS, Format

FORMATS.add(Format(
    name="pairs", about="question and answer", training=lambda outline: f"Read {outline.rows} pairs in order.",
    render=lambda sample, shown, raw: {"q": sample.turns[0].text, "a": sample.turns[-1].text, "images": list(shown)},
    companions={"pairs.txt": lambda outline: "".join(f"{stage.file}\\n" for stage in outline.stages)},
    listed=lambda outline: True))
'''
SCRIPT = '''
import sys
from pathlib import Path
from cadc.curation.workbench import open_workbench
from cadc.export import FORMATS, export
from cadc.study import Study

print([f"{format.name}: {format.about}" for format in FORMATS.values()][-1])
workbench = open_workbench(Study.open("trial", root=Path(sys.argv[1])))
for form in sys.argv[3:]:
    export(workbench, sys.argv[2], format=form)
'''


def test_a_format_from_a_plugin_is_listed_written_and_cleared_away(tmp_path):
    synthesise(tmp_path, rows=60, units=4, checkpoints=2, samples_per_unit=6)
    (tmp_path / "toy_format.py").write_text(PLUGIN)
    root, out = Path(__file__).parents[2], tmp_path / "out"
    environment = os.environ | {"CADC_PLUGINS": "toy_format", "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}

    def script(*formats: str) -> str:
        return subprocess.run([sys.executable, "-c", SCRIPT, tmp_path, out, *formats], env=environment, text=True,
                              capture_output=True, check=True).stdout

    assert script("pairs") == "pairs: question and answer\n"
    rows = [json.loads(line) for line in (out / "curriculum.jsonl").read_text().splitlines()]
    assert rows == json.loads((out / "curriculum.json").read_text()) and set(rows[0]) == {"q", "a", "images"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["format"] == "pairs" and manifest["rows_written"] == len(rows)
    assert (out / "pairs.txt").read_text().split() == [stage["file"] for stage in manifest["stage_files"]]
    assert f"Read {len(rows)} pairs in order." in (out / "README.md").read_text()
    script("llamafactory")
    assert not (out / "pairs.txt").exists() and not (out / "curriculum.json").exists()
    assert (out / "dataset_info.json").exists()

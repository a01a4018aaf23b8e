"""A preset from one file outside the package is known to the settings, curates and is exported."""

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.synthesise import synthesise

PLUGIN = '''
import numpy as np
from cadc.curation import PRESETS, Preset

def influence(columns, of_unit, *, signal="plain", scale="unit"):
    """Twice what studio measures."""
    return 2 * PRESETS["studio"].influence(columns, of_unit, signal=signal, scale=scale)

def pick(rows):
    """The last row of the pool first."""
    for position in np.flatnonzero(rows.inside)[::-1].tolist():
        yield position, -1, float(rows.influence[position]), "late"

PRESETS.add(Preset(name="backwards", about="the last row first", near="joined", influence=influence, pick=pick,
                   settings={"rule": "uniform", "staging": "hard", "loss_quantile": 1.0, "drop_loss_share": 0.0}))
'''
SCRIPT = '''
import json
import sys
from pathlib import Path
import numpy as np
from cadc.curation import PRESETS
from cadc.curation.workbench import open_workbench
from cadc.export import export
from cadc.study import Study

workbench = open_workbench(Study.open("trial", root=Path(sys.argv[1]))).with_settings(budget=0.2)
ours = workbench.with_settings(preset="backwards")
export(ours, sys.argv[2])
print(json.dumps({"presets": list(PRESETS), "about": PRESETS["backwards"].about, "settings": ours.settings.to_dict(),
                  "doubled": bool(np.allclose(ours.influence, 2 * workbench.influence))}))
'''


def test_a_preset_from_a_plugin_measures_picks_and_settles_the_rest(tmp_path):
    synthesise(tmp_path, rows=120, units=4, checkpoints=2, samples_per_unit=6)
    (tmp_path / "toy_preset.py").write_text(PLUGIN)
    environment = os.environ | {"CADC_PLUGINS": "toy_preset",
                                "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path, tmp_path / "out"], env=environment, text=True,
                          capture_output=True, check=True)
    told = json.loads(done.stdout)
    assert told["presets"][-1] == "backwards" and told["about"] == "the last row first" and told["doubled"]
    assert (told["settings"]["rule"], told["settings"]["staging"], told["settings"]["budget"]) == (
        "uniform", "hard", 0.2)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["preset"] == "backwards" and len(manifest["rows"]) == 24
    assert {row["reason"] for row in manifest["rows"]} == {"late"}

"""An arm from one file outside the package is listed and takes part in a comparison."""

import os
import subprocess
import sys
from pathlib import Path

PLUGIN = '''
import numpy as np
from cadc.evaluation import ARMS, Arm, TrainingRows

def last(context):
    """The last rows of the pool."""
    return TrainingRows(positions=np.flatnonzero(context.allowed)[-context.budget:])

ARMS.add(Arm(name="last", about="the last rows of the pool", select=last, called="the pool's end"))
'''
SCRIPT = '''
import sys
from pathlib import Path
from cadc.evaluation import ARMS, EvaluationSettings, read_results, run_evaluation, verdict
from cadc.study import Study
from cadc.study.progress import Silent

study = Study.open("squares", root=Path(sys.argv[1]))
run_evaluation(study, Silent(), EvaluationSettings(arms=("cadc", "last"), seeds=(0, 1), steps=2, batch=2,
                                                   samples_per_unit=2, max_new_tokens=2, budgets=(0.2,)))
arm = next(name for name in ARMS if name == "last")
print(arm, ARMS["last"].about, verdict(read_results(study)[0].table), sep="\\n")
'''


def test_an_arm_from_a_plugin_is_listed_run_and_spoken_of(study, tmp_path):
    (tmp_path / "toy_arm.py").write_text(PLUGIN)
    environment = os.environ | {"CADC_PLUGINS": "toy_arm",
                                "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    done = subprocess.run([sys.executable, "-c", SCRIPT, study.folder.parent.parent], env=environment, text=True,
                          capture_output=True, check=True)
    name, about, sentences = done.stdout.splitlines()
    assert (name, about) == ("last", "the last rows of the pool") and "the pool's end" in sentences

"""Processes that load a model: what they have when they begin, and that none stays when its parent is gone."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest
from watching import wait_for

from cadc.jobs import processes

PARENT = """
import json, os, sys, time
from cadc.jobs.processes import begin, context, prepare

def child(pipe, environment):
    there, threads = sorted({"torch", "peft"} & set(sys.modules)), os.environ["OMP_NUM_THREADS"]
    begin(environment)
    pipe.send([os.getpid(), there, threads, dict(os.environ)])
    time.sleep(600)

if __name__ == "__main__":
    prepare()
    how = context()
    here, there = how.Pipe()
    os.environ["NEWER"] = "than the process it is forked off"
    how.Process(target=child, args=(there, dict(os.environ)), daemon=True).start()
    print(json.dumps(here.recv()), flush=True)
    time.sleep(600)
"""


def test_they_are_forked_off_one_that_has_imported_and_end_with_their_parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True,
                              env=os.environ | {"PYTHONPATH": os.getcwd(), "CUDA_VISIBLE_DEVICES": "",
                                                "OMP_NUM_THREADS": "3"})
    pid, imported, threads, environment = json.loads(parent.stdout.readline())
    assert (imported, threads) == (["peft", "torch"], "1"), "libraries are loaded for one thread each"
    assert environment["NEWER"] == "than the process it is forked off" and environment["OMP_NUM_THREADS"] == "3"
    left = [one.pid for one in psutil.Process(parent.pid).children(recursive=True)]
    assert pid in left and len(left) >= 2, "the one that was asked for, and the one it was forked off"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not any(psutil.pid_exists(one) for one in left), seconds=60)


@pytest.mark.parametrize(("name", "value"), [("visible_gpus", lambda: ["0"]), ("FORKS", False)])
def test_where_a_gpu_is_and_on_macos_they_begin_anew(monkeypatch, name, value):
    assert processes.context().get_start_method() == "forkserver"
    monkeypatch.setattr(processes, name, value)
    assert processes.context().get_start_method() == "spawn"


def test_nothing_is_imported_beforehand_where_a_gpu_may_be(monkeypatch):
    begun = []
    monkeypatch.setattr(processes.forkserver, "ensure_running", lambda: begun.append(1))
    processes.prepare()
    assert begun == [1]
    monkeypatch.setattr(processes, "DRIVERS", (__file__,))
    processes.prepare()
    assert begun == [1]

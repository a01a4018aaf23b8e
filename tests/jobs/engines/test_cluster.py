"""Engine `ray`: real actors on one Ray instance of this machine, some of them killed, and a killed driver."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from watching import Watching, digests, finished_shards, wait_for

from cadc.errors import JobError
from cadc.gradients.attribute import run_attribute
from cadc.jobs import control as jobs
from cadc.jobs.engines import EngineSettings
from cadc.jobs.engines.cluster import connected

pytest.importorskip("ray", reason="needs requirements-ray.txt")


@pytest.fixture(scope="module")
def ray():
    """One instance with two slots for all tests here; it and what it wrote are gone afterwards."""
    folder = tempfile.mkdtemp(prefix="r")  # short: Ray's socket names must stay below 107 bytes
    token = Path(folder, "token")  # else Ray makes one in the home folder
    token.write_text(secrets.token_hex(32))
    own = {"RAY_TMPDIR": folder, "RAY_AUTH_TOKEN_PATH": str(token)}
    before = {key: os.environ.get(key) for key in own}
    os.environ |= own
    try:
        with connected(EngineSettings(engine="ray", address="local", workers=2)) as module:
            yield module
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture()
def engine(ray) -> EngineSettings:
    return EngineSettings(engine="ray", address=ray.get_runtime_context().gcs_address)


def listening() -> set[str]:
    """Local addresses of all listening TCP sockets, as the kernel writes them."""
    lines = [line.split() for name in ("tcp", "tcp6") if (path := Path("/proc/net") / name).exists()
             for line in path.read_text().splitlines()[1:]]
    return {line[1] for line in lines if line[3] == "0A"}


def test_local_instance_listens_on_localhost_only(ray):
    port = int(ray.get_runtime_context().gcs_address.rpartition(":")[2])
    own = [address for address in listening() if int(address.rpartition(":")[2], 16) == port]
    assert own and all(address.rpartition(":")[0].endswith("0100007F") for address in own)
    assert ray.util.get_node_ip_address() == "127.0.0.1"


def test_two_actors_one_of_them_killed_make_the_bytes_of_one_process(study, undisturbed, engine):
    progress = Watching(lambda p: os.kill(p.processes()[0], signal.SIGKILL))
    run_attribute(study, progress, engine=engine)
    assert any("worker" in note and "died; shard" in note for note in progress.notes)
    assert progress.rows == 120 and digests(study) == digests(undisturbed)


def test_killed_driver_loses_nothing(study, undisturbed, engine):
    jobs.start(study, "scores", engine=engine)
    wait_for(lambda: finished_shards(study) or not jobs.is_running(study))
    os.kill(jobs.status(study, "attribute").pid, signal.SIGKILL)
    wait_for(lambda: not jobs.is_running(study))
    assert jobs.status(study, "attribute").state == "interrupted"
    assert len(finished_shards(study)) < 60
    progress = Watching()
    run_attribute(study, progress)  # any engine goes on after any other
    assert progress.done > 0 and digests(study) == digests(undisturbed)


@pytest.mark.parametrize("address", ["auto", "127.0.0.1:1"])
def test_cluster_that_is_not_there_is_said_in_one_line(address):
    """In another process: this one may be connected already."""
    code = ("import sys; from cadc.jobs.engines import EngineSettings\n"
            "from cadc.jobs.engines.cluster import connected\n"
            "with connected(EngineSettings(engine='ray', address=sys.argv[1])): pass")
    nowhere = {"RAY_ADDRESS": "127.0.0.1:1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    found = subprocess.run([sys.executable, "-c", code, address], env=os.environ | nowhere, capture_output=True,
                           text=True)
    last = found.stderr.strip().splitlines()[-1]
    assert JobError.__name__ in last and "no connection to Ray at '127.0.0.1:1'" in last and "ray start --head" in last

"""`cadc app`: the command is the server, so that what ends the one ends the other, and a taken port is said first."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cadc.commands.serve import check_free
from cadc.errors import BusyError

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


@pytest.fixture
def port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(port: int, cache: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "cadc", "app", "--port", str(port)], cwd=ROOT, text=True,
                            env=dict(os.environ) | {"CADC_CACHE": str(cache)}, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)


def wait_for_answer(process: subprocess.Popen, port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5)
            return
        except OSError:
            assert process.poll() is None, "the server ended"
            time.sleep(0.2)
    raise TimeoutError("the server does not answer")


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_the_command_frees_the_port(port, tmp_path, ended_by):
    process = command(port, tmp_path)
    try:
        wait_for_answer(process, port)
        with pytest.raises(BusyError, match="taken"):
            check_free(port)
        process.send_signal(ended_by)
        _, told = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert f"http://localhost:{port}" in told
    check_free(port)


def test_taken_port_is_said_and_no_address_is_printed(port, tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        process = command(port, tmp_path)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2 and "http://" not in told
    assert f"port {port} is taken" in told and "--port" in told

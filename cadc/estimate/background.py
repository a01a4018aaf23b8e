"""An estimate in a process of its own, as jobs are: it takes a minute or two, and who asks for it goes on meanwhile.

It says how it stands in a status file like a job's, holds a lock while it lives, and stops where a file asks it to; its
result is read from the ledger. Any process may look, also one that did not start it.
"""

import argparse
import fcntl
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

from cadc.errors import BusyError, CadcError
from cadc.estimate.ledger import HERE
from cadc.jobs.control import is_held
from cadc.jobs.processes import QUIET
from cadc.jobs.status import RUNNING, JobStatus, last_status, write_status
from cadc.study import Study

log = logging.getLogger(__name__)

NAME = "estimate"
"""Its folder beside those of jobs."""
CODE = Path(__file__).resolve().parents[2]
_LOOK_S = 0.2
_started: list[subprocess.Popen[bytes]] = []
"""Children of this process; kept so that an ended one is reaped at the next start instead of staying a zombie."""
_stopping = threading.Event()


def _lock(study: Study) -> Path:
    folder = study.job_folder(NAME)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "lock"


def is_estimating(study: Study) -> bool:
    """Whether an estimate of this study is being made."""
    return is_held(_lock(study))


def standing(study: Study) -> JobStatus:
    """How the latest estimate stands: `waiting` (there was none), `running`, `done`, `failed`, `cancelled` or
    `interrupted`; `note` has the device."""
    found = last_status(study, NAME)
    if found.state in RUNNING and not is_estimating(study):
        found = last_status(study, NAME)  # it may have ended between the two looks
        if found.state in RUNNING:
            return JobStatus(job=NAME, state="interrupted", note=found.note, message="its process is gone. Ask again.")
    return found


def start(study: Study, device: str = HERE, *, efficiency: float | None = None) -> None:
    """Begin an estimate for a device and return at once. Raises BusyError while another one is made."""
    if is_estimating(study):
        raise BusyError(f"the cost of study {study.name!r} is being predicted already. Wait for it or cancel it first.")
    (study.job_folder(NAME) / "cancel").unlink(missing_ok=True)
    _tell(study, "running", device, began=time.time())
    command = [sys.executable, "-m", "cadc.estimate.background", str(study.root), study.identity, device,
               *([str(efficiency)] if efficiency is not None else [])]
    environment = QUIET | dict(os.environ) | {"PYTHONPATH": os.pathsep.join(
        [str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])])}
    with (study.job_folder(NAME) / "log.txt").open("wb") as written:
        process = subprocess.Popen(command, cwd=CODE, env=environment, stdin=subprocess.DEVNULL, stdout=written,
                                   stderr=written, start_new_session=True)
    _started[:] = [one for one in _started if one.poll() is None] + [process]
    while process.poll() is None and not is_estimating(study):
        time.sleep(_LOOK_S / 4)


def cancel(study: Study) -> None:
    """Ask the estimate that is being made to stop."""
    if is_estimating(study):
        (study.job_folder(NAME) / "cancel").touch()


def _held(handle: IO[str], wait_s: float = 5.0) -> bool:
    """Take the lock; waits a moment, because `is_estimating` takes it for an instant to look."""
    until = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_LOOK_S / 4)


def _tell(study: Study, state: str, device: str, *, began: float, message: str = "") -> None:
    now = time.time()
    write_status(study, JobStatus(job=NAME, state=state, note=device, message=message, started=began, updated=now,
                                  seconds=now - began, pid=os.getpid()))


def _watch(study: Study, device: str, began: float) -> None:
    """End this process and all that it started when somebody asks for it. No signal: libraries swallow exceptions."""
    while not (study.job_folder(NAME) / "cancel").exists():
        time.sleep(_LOOK_S)
    _stopping.set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it may have just ended
            child.kill()
    for scratch in study.folder.glob("calibration-*"):
        shutil.rmtree(scratch, ignore_errors=True)
    _tell(study, "cancelled", device, began=began)
    os._exit(1)


def run(study: Study, device: str, efficiency: float | None = None, *, began: float) -> bool:
    """Make the estimate in this process; True when it is in the ledger. Errors go to the status file and the log."""
    try:
        from cadc.estimate.estimate import estimate, estimate_for

        if device == HERE:
            estimate(study)
        else:
            estimate_for(study, device, efficiency=efficiency)
        _tell(study, "done", device, began=began)
        return True
    except Exception as error:
        while _stopping.is_set():  # its own processes are gone: `_watch` has the last word
            time.sleep(_LOOK_S)
        log.exception("the estimate failed")
        message = str(error) if isinstance(error, CadcError) else (
            f"{type(error).__name__}: {error}. Details: {study.job_folder(NAME) / 'log.txt'}")
        _tell(study, "failed", device, began=began, message=message)
        return False


def main(arguments: list[str] | None = None) -> int:
    """Entry of `python -m cadc.estimate.background ROOT IDENTITY DEVICE [SHARE]`."""
    parser = argparse.ArgumentParser(prog="cadc.estimate.background")
    parser.add_argument("root", type=Path)
    parser.add_argument("identity")
    parser.add_argument("device")
    parser.add_argument("efficiency", type=float, nargs="?")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    study = Study.open(chosen.identity, root=chosen.root)
    with _lock(study).open("w") as handle:
        if not _held(handle):
            log.error("another estimate of study %s is being made", study.name)
            return 3
        began = time.time()
        _tell(study, "running", chosen.device, began=began)
        threading.Thread(target=_watch, args=(study, chosen.device, began), daemon=True, name="cancel").start()
        return 0 if run(study, chosen.device, chosen.efficiency, began=began) else 1


if __name__ == "__main__":
    sys.exit(main())

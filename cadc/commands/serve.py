"""The app's server, started with the right settings."""

import errno
import os
import socket
import sys
from collections.abc import Callable
from typing import NoReturn

from cadc.commands.place import app_folder
from cadc.errors import BusyError


def serve(port: int, say: Callable[[str], None]) -> NoReturn:
    """Become the Streamlit server on localhost; `say` is told its address before.

    The command turns into the server instead of starting one beside itself: whatever ends the command (SIGTERM, Ctrl-C,
    even kill -9) ends the server and frees the port. Raises BusyError when the port is taken,
    JobError when the app's files are missing.
    """
    app = app_folder() / "app.py"
    check_free(port)
    say(f"http://localhost:{port}")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(app), "--server.port", str(port),
                              "--server.address", "localhost", "--server.headless", "true"])


def check_free(port: int) -> None:
    """Raises BusyError when something listens on this port of localhost already, or it cannot be listened on."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: TIME_WAIT is no user
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and not _taken(error):
                continue  # a machine without IPv6
            what = "is taken by another program" if _taken(error) else f"cannot be used ({error.strerror})"
            raise BusyError(f"port {port} {what}. Stop what listens there, or choose another one: "
                            "`python -m cadc app --port PORT`.") from error


def _taken(error: OSError) -> bool:
    return error.errno == errno.EADDRINUSE

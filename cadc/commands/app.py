"""The app, alone or on the embedded default."""

import argparse
import json
import sys
from typing import NoReturn

from cadc.commands import choices
from cadc.commands.command import Command, as_json

PORT = 8501


def _serve(port: int) -> NoReturn:
    from cadc.commands.serve import serve

    serve(port, lambda address: print(f"CADC Studio is at {address} (Ctrl-C stops it; running jobs go on)",
                                      file=sys.stderr))


# ---- app -------------------------------------------------------------------------------------------------------------
def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT)


def app(chosen: argparse.Namespace) -> int:
    """Serve until it is stopped: this process becomes the server. Raises BusyError when the port is taken."""
    _serve(chosen.port)


APP = Command(name="app", about=f"Serve the app on http://localhost:{PORT}.", example="app --port 8600",
              arguments=_arguments, run=app)


# ---- demo ------------------------------------------------------------------------------------------------------------
def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-app", action="store_true", help="stop after the export")
    parser.add_argument("--workers", type=int, metavar="N", help="processes for attribution; default: as in `run`")
    parser.add_argument("--preset", default=choices.preset(), choices=choices.presets(),
                        help=f"default: {choices.preset()}; another one is a study of its own that shares what it can")
    as_json(parser, "as it does anyway")


def demo(chosen: argparse.Namespace) -> int:
    """Compute what is missing of the embedded study, print the summary, serve the app on it."""
    from cadc.commands.watch import follow
    from cadc.demo.run import run_demo

    print(json.dumps(run_demo(follow, workers=chosen.workers, preset=chosen.preset)), flush=True)
    if not chosen.no_app:
        _serve(PORT)
    return 0


DEMO = Command(name="demo", about="Run the whole study on the embedded synthetic default; ends with one line of JSON.",
               example="demo --no-app", arguments=_demo_arguments, run=demo)

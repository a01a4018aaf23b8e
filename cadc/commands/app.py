"""The app, alone or on the embedded default."""

import argparse
import json
import sys

from cadc.commands.command import Command

PORT = 8501


def _serve(port: int) -> int:
    from cadc.commands.watch import serve

    print(f"CADC Studio is at http://localhost:{port} (Ctrl-C stops it; running jobs go on)", file=sys.stderr)
    return serve(port)


# ---- app -------------------------------------------------------------------------------------------------------------
def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=PORT)


def app(chosen: argparse.Namespace) -> int:
    """Serve until it is stopped."""
    return _serve(chosen.port)


APP = Command(name="app", about=f"Serve the app on http://localhost:{PORT}.", example="app --port 8600",
              arguments=_arguments, run=app)


# ---- demo ------------------------------------------------------------------------------------------------------------
def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-app", action="store_true", help="stop after the export")
    parser.add_argument("--workers", type=int, metavar="N", help="processes for attribution; default: as in `run`")


def demo(chosen: argparse.Namespace) -> int:
    """Compute what is missing of the embedded study, print the summary, serve the app on it."""
    from cadc.commands.watch import follow
    from cadc.demo.run import run_demo

    print(json.dumps(run_demo(follow, workers=chosen.workers)), flush=True)
    return 0 if chosen.no_app else _serve(PORT)


DEMO = Command(name="demo", about="Run the whole study on the embedded synthetic default; ends with one line of JSON.",
               example="demo --no-app", arguments=_demo_arguments, run=demo)

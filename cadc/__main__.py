"""`cadc` and `python -m cadc`."""

import os
import sys

from cadc.cli import main


def run() -> None:
    """Run one command and end the process with its code."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # a bar for loading weights between our own says nothing
    sys.exit(main())


if __name__ == "__main__":
    run()

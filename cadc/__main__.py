"""`python -m cadc`."""

import sys

from cadc.cli import main

sys.exit(main())

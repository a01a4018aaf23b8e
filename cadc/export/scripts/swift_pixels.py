"""Prints how large the model's own processor lets pictures be, as lines for a shell. Written by CADC Studio.

    eval "$(python pixels.py MODEL)"           run.sh does it

For Qwen's models ms-swift makes pictures smaller by limits of its own, and switches the processor's off.
"""

import os
import sys

from transformers import AutoImageProcessor

try:
    processor = AutoImageProcessor.from_pretrained(sys.argv[1])
    size = dict(processor.size) if hasattr(processor, "merge_size") else {}
except (OSError, ValueError, ImportError) as error:
    print(f"the picture limits of {sys.argv[1]} cannot be read ({str(error).splitlines()[0]}): where they are not "
          "ms-swift's own, set MIN_PIXELS and MAX_PIXELS", file=sys.stderr)
    size = {}
for name, key in (("MIN_PIXELS", "shortest_edge"), ("MAX_PIXELS", "longest_edge")):
    if size.get(key) and name not in os.environ:
        print(f"export {name}={int(size[key])}")

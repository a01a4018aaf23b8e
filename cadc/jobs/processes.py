"""Helper processes must not outlive what started them."""

import os
import threading
from multiprocessing import parent_process


def end_with_parent() -> None:
    """Call first in a process that `multiprocessing` started: it ends when its parent is gone, however that went.

    Pools of `concurrent.futures` leave their processes waiting for ever after a `kill -9`, with the model in memory.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(3)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()

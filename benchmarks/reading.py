"""How much memory and time reading takes: `python -m benchmarks.reading --rows 200000`.

LLaVA rows of 100 to 900 characters are written in every container; each is then read by a process of its own, once row
by row (`rows`: nothing is kept) and once as `cadc check` does (`check`: samples and their words are kept). Peak memory
is what the operating system says of that process, interpreter and libraries included. The time is that of the process,
its start included. Prints a table, then one line of JSON.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import IO

from benchmarks.lab.report import about

ROWS = "import sys; from cadc.data.files import open_rows; print(sum(1 for _ in open_rows(sys.argv[1])))"
CHECK = "import sys; from cadc.data import check; print(check(sys.argv[1])['samples'])"
WAYS = {"rows": ROWS, "check": CHECK}
MEASURED = ("import resource, sys; exec(sys.argv.pop(1)); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")


def rows(count: int) -> Iterator[str]:
    """Rows of text of different lengths, as JSON."""
    for n in range(count):
        question = f"What is the colour of thing number {n}, and why? " + "lorem ipsum " * (n % 20)
        answer = f"It is number {n}. " + "dolor sit amet " * (n % 30)
        yield json.dumps({"id": str(n), "conversations": [{"from": "human", "value": question},
                                                          {"from": "gpt", "value": answer}]})


def write_list(path: Path, count: int) -> None:
    """One JSON list on one line."""
    with path.open("w") as handle:
        _list(handle, count)


def write_lines(path: Path, count: int) -> None:
    """JSON Lines."""
    with path.open("w") as handle:
        handle.writelines(f"{row}\n" for row in rows(count))


def write_gzip(path: Path, count: int) -> None:
    """The same, packed."""
    with gzip.open(path, "wt", compresslevel=1) as handle:
        handle.writelines(f"{row}\n" for row in rows(count))


def write_utf16(path: Path, count: int) -> None:
    """A JSON list in UTF-16."""
    with path.open("w", encoding="utf-16") as handle:
        _list(handle, count)


def _list(handle: IO[str], count: int) -> None:
    handle.write("[")
    handle.writelines(f"{', ' if n else ''}{row}" for n, row in enumerate(rows(count)))
    handle.write("]")


def write_parquet(path: Path, count: int) -> None:
    """Parquet, written 10 000 rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, waiting = None, []
    for row in rows(count):
        waiting.append(json.loads(row))
        if len(waiting) == 10_000:
            table = pa.Table.from_pylist(waiting)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            waiting = []
    table = pa.Table.from_pylist(waiting) if waiting or writer is None else None
    if table is not None:
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


CONTAINERS: dict[str, Callable[[Path, int], None]] = {
    "JSON list, one line": write_list, "JSON list, UTF-16": write_utf16, "JSON Lines": write_lines,
    "JSON Lines, gzip": write_gzip, "parquet": write_parquet}


def measure(path: Path, way: str, repeats: int) -> dict[str, float]:
    """Largest peak memory [MB] and median time [s] of a process that reads a file."""
    peaks, times = [], []
    for _ in range(repeats):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", MEASURED, WAYS[way], str(path)], capture_output=True, text=True,
                              check=True)
        times.append(time.perf_counter() - began)
        peaks.append(int(done.stdout.split()[-1]) / (1 << 20 if sys.platform == "darwin" else 1 << 10))
    return {"peak_mb": max(peaks), "seconds": median(times)}


def main(arguments: list[str] | None = None) -> int:
    """Print the table and one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=1)
    chosen = parser.parse_args(arguments)
    found = []
    print("| container | file MB | rows: peak MB | s | check: peak MB | s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in CONTAINERS.items():
            path = Path(folder) / "pool"
            path.unlink(missing_ok=True)
            write(path, chosen.rows)
            size = path.stat().st_size / (1 << 20)
            taken = {way: measure(path, way, chosen.repeats) for way in WAYS}
            found.append({"container": name, "file_mb": size, **taken})
            print(f"| {name} | {size:.0f} | " + " | ".join(
                f"{one['peak_mb']:.0f} | {one['seconds']:.1f}" for one in taken.values()) + " |", flush=True)
    print(json.dumps({**about(), "rows": chosen.rows, "repeats": chosen.repeats, "found": found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Every export in its own trainer: `make trainers`, or `python -m benchmarks.trainers [TRAINER …]`.

Prints a Markdown table of what reached each trainer's loss beside what the study learnt from, a second one of what its
defaults would have done to the same rows, and one line of JSON. Exits with 1 where a trainer did not get the same.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.trainers.compare import Verdict, Wanted, compare
from benchmarks.trainers.environments import TRAINERS, BuildError, build
from benchmarks.trainers.exporting import Written, export_pool
from benchmarks.trainers.rows import make_pool
from benchmarks.trainers.running import Run, run
from benchmarks.trainers.table import Tried, by_defaults, by_export
from benchmarks.trainers.tiny_model import IMAGE, tiny_qwen2_vl
from benchmarks.trainers.wanted import wanted_rows


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainers", description=__doc__)
    parser.add_argument("trainers", nargs="*", choices=[[], *TRAINERS], help="default: all")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave exports and logs there")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.keep or Path(scratch)
        model, pool = tiny_qwen2_vl(folder / "model"), make_pool(folder / "pictures")
        wanted = wanted_rows(model, pool)
        written = {name: export_pool(pool, model, name, folder) for name in chosen.trainers or TRAINERS}
        # nothing but the export is there when a trainer runs
        pool.root.rename(folder / "pictures put away")
        tried = [_try(name, found, wanted, model, folder) for name, found in written.items()]
    print(by_export(tried), "", by_defaults(tried), "", sep="\n")
    print(json.dumps({one.name: one.numbers for one in tried}))
    return int(not all(one.same for one in tried))


def _try(name: str, written: Written, wanted: list[Wanted], model: Path, folder: Path) -> Tried:
    """Run one export twice: as it lies, and by the trainer's defaults."""
    own = [one for one in wanted if one.name in written.names]
    verdicts: list[tuple[Run, Verdict]] = []
    for defaults in (False, True):
        print(f"{name}{', defaults' if defaults else ''} …", file=sys.stderr)
        try:
            python = build(name)
        except BuildError as error:
            return Tried(name=name, written=written, failed=str(error))
        got = run(name, written.folder, model, folder / "runs" / f"{name}{'-defaults' * defaults}", python=python,
                  defaults=defaults)
        verdicts.append((got, _compare(own, got, model)))
    return Tried(name=name, written=written, export=verdicts[0], defaults=verdicts[1])


def _compare(wanted: list[Wanted], got: Run, model: Path) -> Verdict:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    breaks = frozenset(token for text in ("\n", "\n\n") for token in tokenizer.encode(text))
    return compare(wanted, got.rows, got.pixels, picture=tokenizer.convert_tokens_to_ids(IMAGE), breaks=breaks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

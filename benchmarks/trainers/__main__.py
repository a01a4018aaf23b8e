"""Every export in its own trainer: `make trainers`, or `python -m benchmarks.trainers [TRAINER …]`.

Prints a Markdown table of what reached each trainer's loss beside what the study learnt from, a second one of what its
defaults would have done to the same rows, and one line of JSON. Exits with 1 where a trainer did not get the same.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.trainers.compare import Verdict, Wanted, compare
from benchmarks.trainers.environments import TRAINERS, BuildError, build
from benchmarks.trainers.exporting import Written, export_pool, ways
from benchmarks.trainers.rows import Pool, make_pool
from benchmarks.trainers.running import Run, run
from benchmarks.trainers.table import Tried, by_defaults, by_export
from benchmarks.trainers.tiny_model import IMAGE, tiny_qwen2_vl
from benchmarks.trainers.wanted import wanted_rows

BLOCK = re.compile(r"(<!-- measured: trainers -->\n).*?(<!-- end measured -->)", re.DOTALL)
"""Where `--write` puts the tables."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trainers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trainers", nargs="*", metavar="TRAINER", help=f"of {', '.join(TRAINERS)}; default: all")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and leave exports and logs")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="also put the tables into this page")
    chosen = parser.parse_args(arguments)
    names = chosen.trainers or TRAINERS
    if unknown := set(names) - set(TRAINERS):
        parser.error(f"no trainer {', '.join(sorted(unknown))}; there are {', '.join(TRAINERS)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = (chosen.keep or Path(scratch)).resolve()
        model, pool = tiny_qwen2_vl(folder / "model"), make_pool(folder / "pictures")
        wanted = wanted_rows(model, pool)
        tried = [one for name in names for one in _all_ways(name, pool, wanted, model, folder)]
    tables = f"{by_export(tried)}\n\n{by_defaults(tried)}\n"
    print(tables)
    print(json.dumps([one.numbers for one in tried]))
    if chosen.write:
        page = chosen.write.read_text(encoding="utf-8")
        chosen.write.write_text(BLOCK.sub(lambda found: f"{found[1]}{tables}{found[2]}", page), encoding="utf-8")
    return int(not all(one.same for one in tried))


def _all_ways(name: str, pool: Pool, wanted: list[Wanted], model: Path, folder: Path) -> list[Tried]:
    """Every way of a trainer's export to carry pictures; the first also by the trainer's defaults."""
    try:
        python = build(name)
    except BuildError as error:
        return [Tried(name=name, failed=str(error))]
    found = []
    for number, how in enumerate(ways(name)):
        written = export_pool(pool, model, name, folder, how)
        away = pool.root if how == "absolute" else pool.root.rename(folder / "put away")  # the export is all there is
        try:
            pairs = [_try(name, written, wanted, model, folder / "runs" / f"{name} {how}{' defaults' * defaults}",
                          python, defaults) for defaults in ((False, True) if number == 0 else (False,))]
        finally:
            away.rename(pool.root)
        found.append(Tried(name=name, how=how, written=written, export=pairs[0],
                           defaults=pairs[1] if len(pairs) > 1 else None))
    return found


def _try(name: str, written: Written, wanted: list[Wanted], model: Path, out: Path, python: Path, defaults: bool
         ) -> tuple[Run, Verdict]:
    print(f"{out.name} …", file=sys.stderr)
    got = run(name, written.folder, model, out, python=python, defaults=defaults)
    return got, _compare([one for one in wanted if one.name in written.names], got, model)


def _compare(wanted: list[Wanted], got: Run, model: Path) -> Verdict:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    breaks = frozenset(token for text in ("\n", "\n\n") for token in tokenizer.encode(text))
    return compare(wanted, got.rows, got.pixels, picture=tokenizer.convert_tokens_to_ids(IMAGE), breaks=breaks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

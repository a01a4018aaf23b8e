"""Throw files of every kind at the readers: `python -m tests.data.fuzz_readers --seconds 600`.

Two kinds of input. *Built*: rows of every shape with keys and values nobody expects, in every container, so that it is
known how many there are: each must be accepted or set aside. *Damaged*: built files and those of the corpus with bytes
changed, cut and joined. A failure is anything but a one-line CadcError, a row without an account, or more than
`HANG_S` seconds; the input is written to the corpus and the command ends with 1. With `--atheris` (to be installed by
hand) bytes are led by coverage instead.
"""

import argparse
import base64
import datetime
import decimal
import gzip
import hashlib
import io
import json
import math
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from cadc.data import check, ingest
from cadc.errors import CadcError

HANG_S = 20
"""Seconds that one small input may take."""
KEEP_BYTES = 4_000
"""Larger failures are not kept in the corpus, only named."""

Row = dict[str, object]


class Wrong(AssertionError):
    """A reader did what no reader may."""


# ---- what is asked of a reader -------------------------------------------------------------------------------------
@contextmanager
def watched(seconds: int = HANG_S) -> Iterator[None]:
    """Raise Wrong in what takes longer."""
    def late(signum: int, frame: FrameType | None) -> None:
        raise Wrong(f"hangs: more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def probe(given_path: Path, rows: int | None = None, *, usable: bool = False) -> str:
    """Read an input and check the account; `rows` in it if that is known, `usable`: it must not be refused as a whole.

    Returns what came of it: `read`, or the error's line. Raises Wrong.
    """
    with watched():
        try:
            found = ingest(given_path, given_path if given_path.is_dir() else given_path.parent)
        except CadcError as error:
            if "\n" in str(error) or len(str(error)) > 4_000:
                raise Wrong(f"not one line: {str(error)[:300]!r}") from error
            if usable:
                raise Wrong(f"refused: {error}") from error
            said = str(error)
            try:
                report = check(given_path)
            except CadcError:
                return said
            if rows is not None and report["samples"] != rows:
                raise Wrong(f"{rows} rows, check counts {report['samples']}") from error
            return said
    used = sorted([sample.index for sample in found.samples] + [reason.index for reason in found.set_aside])
    if used != list(range(found.rows)) or len(found.raw) != len(found.samples):
        raise Wrong(f"rows without an account: {found.rows} rows, {len(used)} accounted for")
    if rows is not None and found.rows != rows:
        raise Wrong(f"{rows} rows were written, {found.rows} are accounted for")
    if any("\n" in reason.reason or not reason.reason for reason in [*found.set_aside, *found.warnings]):
        raise Wrong("a reason is not one line")
    return "read"


# ---- rows ----------------------------------------------------------------------------------------------------------
def _png() -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (200, 30, 30)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


PNG = _png()
KEYS = tuple("""conversations messages conversation question instruction prompt answer response output input query
                system history tools options choices context hint reasoning_content texts completion chosen rejected
                image images image_path image_1 image_10 image_file file_name image_url picture video audio id
                source dataset weight loss train license meta data bytes path role from value content type
                text user assistant""".split()) + ("",)
WORDS = ("", " ", "<image>", "<image>\nWhat?", "red", "<video>", "human", "gpt", "user", "assistant", "system", "tool",
         "developer", "a.png", "../a.png", "file:///a.png", "https://x/y.png", "C:\\a.png", PNG, PNG[:-5],
         f"data:image/png;base64,{PNG}", "data:image/png;base64,?", "data:,", "[]", "[1]", '[{"role": "user"}]',
         "\ud800", "a\0b", "\ufeff", "\u2028", "<|im_end|>", "<img>a.png</img>", "nan", "1e999", "😀")

words = st.sampled_from(WORDS) | st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | words
keys = st.sampled_from(KEYS) | st.text(max_size=5)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
                        max_leaves=8)
roles = st.sampled_from(["human", "gpt", "user", "assistant", "system", "tool", "bot", "developer", "ipython"]) | words
blocks = st.fixed_dictionaries({}, optional={
    "type": st.sampled_from(["text", "image", "image_url", "input_image", "tool_use"]), "text": words, "image": words,
    "image_url": words | st.fixed_dictionaries({"url": words}), "x": anything})
contents = words | st.lists(blocks | words, max_size=3) | anything
turns = st.fixed_dictionaries({}, optional={
    "from": roles, "role": roles, "value": contents, "content": contents, "weight": scalars, "loss": scalars,
    "tool_calls": anything, "reasoning_content": words}) | anything
talks = st.lists(turns, max_size=4)
rows = st.one_of(
    st.fixed_dictionaries({"conversations": talks}, optional={"image": anything, "id": scalars, "system": words}),
    st.fixed_dictionaries({"messages": talks}, optional={"images": anything, "tools": anything}),
    st.fixed_dictionaries({"question": words, "answer": words}, optional={"image": words, "options": anything}),
    st.fixed_dictionaries({"prompt": anything, "completion": anything}),
    st.fixed_dictionaries({"texts": st.lists(st.dictionaries(st.sampled_from(["user", "assistant"]), words))}),
    st.dictionaries(keys, anything, max_size=5), anything)
GOOD: Row = {"question": "What?", "answer": "red"}


# ---- containers ----------------------------------------------------------------------------------------------------
def _json(value: object, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)


def as_lines(many: list[object], rng: random.Random) -> bytes:
    """JSON Lines with any line ends, blank lines, and marks where files were joined."""
    text = ""
    for row in many:
        text += rng.choice(["", "", "\ufeff"]) + _json(row, True) + rng.choice(["\n", "\r\n", "\n\n", " \n"])
    return text.encode()


def as_list(many: list[object], rng: random.Random) -> bytes:
    """A JSON list, on one line or on many."""
    return (rng.choice(["", "\ufeff"]) + json.dumps(many, indent=rng.choice([None, None, 1]))).encode()


def packed(data: bytes, rng: random.Random) -> bytes:
    """Written in UTF-16 or not, packed or not."""
    if rng.random() < 0.25:
        text = data.decode().removeprefix("\ufeff")
        data = rng.choice([b"\xff\xfe" + text.encode("utf-16-le"), b"\xfe\xff" + text.encode("utf-16-be")])
    way = rng.random()
    if way < 0.2:
        return gzip.compress(data, 1)
    if way < 0.4:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return sink.getvalue().to_pybytes()
    return data


def as_table(many: list[Row], rng: random.Random) -> bytes:
    """Parquet or an arrow stream; what is no text, number or list of turns is written as JSON text."""
    names = sorted({name for row in many for name in row})
    table = pa.table({name: _column([row.get(name) for row in many], rng) for name in names})
    if rng.random() < 0.5:
        sink = pa.BufferOutputStream()
        try:
            pq.write_table(table, sink, row_group_size=3)
            return sink.getvalue().to_pybytes()
        except pa.ArrowException:
            pass  # a struct without fields, which arrow alone can hold
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, 3)
    return sink.getvalue().to_pybytes()


def _column(values: list[object], rng: random.Random) -> pa.Array:
    """A column of them; now and then with what JSON has no word for."""
    try:
        if rng.random() < 0.15:
            strange = rng.choice([rng.randbytes(9), datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3),
                                  decimal.Decimal("1.5"), {"bytes": b"x", "path": None}, [{"x": b"\xff"}], math.nan])
            return pa.array([strange if value is not None else None for value in values])
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, UnicodeError):
        texts = [None if value is None else json.dumps(value) for value in values]
        return pa.array(texts, pa.string())


def build(many: list[object], rng: random.Random) -> bytes:
    """A file of these rows in a container that can hold them."""
    tables = [row for row in many if isinstance(row, dict)]
    if rng.random() < 0.25 and len(tables) == len(many):
        return as_table(tables, rng)
    return packed(as_lines(many, rng) if rng.random() < 0.5 else as_list(many, rng), rng)


def damage(data: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, cut out, doubled, or put in."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        put = rng.choice([rng.randbytes(rng.randrange(5)), rng.choice(PIECES), data[at:at + rng.randrange(40)]])
        gone = rng.choice([0, len(put), len(put), rng.randrange(60), 10**9 if rng.random() < 0.2 else 1])
        data = data[:at] + put + data[at + gone:]
    return data


PIECES = (b"{", b"}", b"[", b"]", b'"', b",", b"\n", b"\\", b"NaN", b"\\ud800", b"\xff\xfe", b"\xef\xbb\xbf", b"\0",
          b"null", b"[[[[[[[[", b'{"a":' * 50, b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"PAR1", b"1" * 5000, b"\r")


# ---- one run -------------------------------------------------------------------------------------------------------
def seeds_of(corpus: Path) -> list[bytes]:
    """The files of a corpus."""
    return [path.read_bytes() for path in sorted(corpus.iterdir()) if path.is_file()] if corpus.is_dir() else []


def one(many: list[object], number: int, place: Path, known: list[bytes], counts: dict[str, int]) -> bytes:
    """One built and one damaged input; returns the last one that was tried."""
    rng = random.Random(number)
    many = [*many, GOOD]
    path = place / "pool"
    data = build(many, rng)
    path.write_bytes(data)
    place_of_failure["data"] = data
    probe(path, len(many), usable=True)
    counts["built"] = counts.get("built", 0) + 1
    if len(many) > 1 and rng.random() < 0.2:
        _shards(many, rng, place / "shards")
        counts["shards"] = counts.get("shards", 0) + 1
    for _ in range(3):
        data = damage(rng.choice(known) if known and rng.random() < 0.4 else build(many, rng), rng)
        path.write_bytes(data)
        place_of_failure["data"] = data
        outcome = "damaged, read" if probe(path) == "read" else "damaged, refused"
        counts[outcome] = counts.get(outcome, 0) + 1
    return data


place_of_failure: dict[str, bytes] = {}
"""The input that is being read, for the report of a failure."""


def _shards(many: list[object], rng: random.Random, folder: Path) -> None:
    """The same rows as a folder of shards."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    cut = rng.randrange(1, len(many))
    (folder / "README.md").write_text("[no rows]")
    for name, part in (("part-2.jsonl", [*many[:cut], GOOD]), ("part-10.json.gz", many[cut:])):
        (folder / name).write_bytes(packed(as_lines(part, rng), rng))
    probe(folder, len(many) + 1, usable=True)  # one strange row alone may be an object around rows


def run(seconds: float, corpus: Path, start: int, say: Callable[[str], None], *, failures: Path | None = None) -> int:
    """Hypothesis for so long; 0, or 1 with the first failure written into `failures` (the corpus)."""
    failures = failures or corpus
    counts: dict[str, int] = {}
    known, number, until = seeds_of(corpus), start, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as place:
        while time.monotonic() < until:
            @seed(number)
            @settings(max_examples=100, deadline=None, database=None, phases=(Phase.generate,),
                      suppress_health_check=list(HealthCheck))
            @given(st.lists(rows, max_size=5), st.integers(0, 2**32))
            def batch(many: list[object], chance: int) -> None:
                if time.monotonic() < until:
                    one(many, chance, Path(place), known, counts)

            try:
                batch()
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                traceback.print_exception(error)
                say(f"seed {number}: {type(error).__name__}: {str(error)[:600]}; {_kept(failures)}")
                return 1
            number += 1
    say(", ".join(f"{count:,} {what}" for what, count in sorted(counts.items())) or "nothing was tried")
    return 0


def _kept(folder: Path) -> str:
    """Write the input that failed into a folder; its size and name in words."""
    data = place_of_failure.get("data", b"")
    name = f"found-{hashlib.sha256(data).hexdigest()[:12]}"
    if len(data) <= KEEP_BYTES:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return f"input of {len(data):,} bytes, {name}" + (" (too large to keep)" if len(data) > KEEP_BYTES else "")


def run_atheris(seconds: float, corpus: Path) -> None:
    """libFuzzer, led by coverage of cadc; new inputs go to the corpus."""
    import atheris

    global ingest, check, CadcError
    for name in [name for name in sys.modules if name.split(".")[0] == "cadc"]:
        del sys.modules[name]  # to be imported once more, counting branches
    with atheris.instrument_imports(include=["cadc.data", "cadc.study.inputs"]):
        from cadc.data import check, ingest
        from cadc.errors import CadcError
    place = tempfile.TemporaryDirectory()
    path = Path(place.name) / "pool"

    def tried(data: bytes) -> None:
        path.write_bytes(data)
        probe(path)

    corpus.mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], str(corpus), f"-max_total_time={math.ceil(seconds)}", "-max_len=4096", "-timeout=30",
                   f"-artifact_prefix={place.name}/"], tried)
    atheris.Fuzz()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--corpus", type=Path, default=Path("tests/data/corpus"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true", help="led by coverage; needs `pip install atheris`")
    chosen = parser.parse_args()
    if chosen.atheris:
        run_atheris(chosen.seconds, chosen.corpus)
        return 0
    return run(chosen.seconds, chosen.corpus, chosen.seed, print)


if __name__ == "__main__":
    sys.exit(main())

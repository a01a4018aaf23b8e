"""The embedded default's rows: reproducible, as uneven and as dirty as promised, and true."""

import contextlib
import filecmp
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cadc.demo import PoolMix, kinds, offtopic, oracle, pool, talk, words, write_demo

SMALL = {"pool_size": 800, "per_unit": 4}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pool.DemoFiles:
    return write_demo(tmp_path_factory.mktemp("demo"), **SMALL)


def _rows(path: Path) -> list[dict]:
    return json.loads(path.read_text())


def _truth(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _differences(one: Path, other: Path) -> list[str]:
    """Files of the one that are missing or different in the other, or too many there."""
    mine, theirs = ({p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
                    for folder in (one, other))
    _, differ, missing = filecmp.cmpfiles(one, other, sorted(mine), shallow=False)
    return sorted({*differ, *missing, *(theirs - mine)})


def test_same_seed_gives_the_same_bytes(files: pool.DemoFiles, tmp_path: Path) -> None:
    again = write_demo(tmp_path / "again", **SMALL)
    assert not _differences(files.pool.parent, again.pool.parent)
    assert again.pool.read_bytes() != write_demo(tmp_path / "other", seed=1, **SMALL).pool.read_bytes()


def test_a_finished_folder_is_left_alone(files: pool.DemoFiles) -> None:
    before = files.pool.stat().st_mtime_ns
    assert write_demo(files.pool.parent, **SMALL) == files
    assert files.pool.stat().st_mtime_ns == before


def test_an_unfinished_folder_is_written_again(files: pool.DemoFiles, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "stale.png").write_bytes(b"half")
    written = write_demo(tmp_path, **SMALL)
    assert not (tmp_path / "images" / "stale.png").exists()
    assert written.pool.read_bytes() == files.pool.read_bytes()


WRITE = """
import os, signal, sys
from pathlib import Path
from cadc.demo import write_demo

def stop(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".png"):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGSTOP)

left = [int(sys.argv[2])]
sys.addaudithook(stop)
write_demo(Path(sys.argv[1]), pool_size=800, per_unit=4)
"""


def _writer(folder: Path, stop_at: int = 0) -> subprocess.Popen:
    """A process that writes the default; it stops before its `stop_at`-th picture."""
    return subprocess.Popen([sys.executable, "-c", WRITE, str(folder), str(stop_at)])


def _open_files(pid: int) -> set[str]:
    """Files that a process has open; one that it closes meanwhile is left out."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(link))
    return found


@pytest.mark.parametrize(("then", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGCONT, 0)])
def test_a_second_process_waits_for_the_first_and_takes_over_when_it_is_killed(files: pool.DemoFiles, tmp_path: Path,
                                                                               then: signal.Signals, code: int) -> None:
    first = _writer(tmp_path, stop_at=50)
    assert os.WIFSTOPPED(os.waitpid(first.pid, os.WUNTRACED)[1])
    second = _writer(tmp_path)
    until = time.monotonic() + 60
    while str(tmp_path / ".lock") not in _open_files(second.pid):
        assert time.monotonic() < until and second.poll() is None, "the second does not wait for the first"
        time.sleep(0.02)
    assert len(list((tmp_path / "images").iterdir())) == 49 and not (tmp_path / "finished.json").exists()
    first.send_signal(then)
    assert second.wait(120) == 0 and first.wait(120) == code
    assert not _differences(files.pool.parent, tmp_path)


def test_every_picture_is_there_and_text_has_none(files: pool.DemoFiles) -> None:
    for path, truth in ((files.pool, files.truth_pool), (files.target, files.truth_target)):
        for row, fact in zip(_rows(path), _truth(truth), strict=True):
            question = row["conversations"][0]["value"]
            assert ("image" in row) == question.startswith("<image>") == (not fact["off_topic"])
            assert "image" not in row or (files.images / row["image"]).is_file()


def test_shares_are_as_promised(files: pool.DemoFiles) -> None:
    facts, mix = _truth(files.truth_pool), PoolMix()
    n = len(facts)
    pictured = [f for f in facts if not f["off_topic"]]
    assert n == 800
    assert sum(f["wrong"] for f in facts) / n == pytest.approx(mix.wrong, abs=0.005)
    assert sum(f["duplicate_of"] is not None for f in facts) / n == pytest.approx(mix.duplicate, abs=0.005)
    assert sum(f["off_topic"] for f in facts) / n == pytest.approx(mix.off_topic, abs=0.005)
    assert sum(not f["on_target"] for f in pictured) / len(pictured) == pytest.approx(
        mix.off_target, abs=0.03
    )
    counts = sorted(sum(f["unit"] == k.name for f in facts) for k in kinds.UNITS)
    assert counts[0] >= 1 and counts[-1] > 8 * counts[0], "the mixture has a long tail"


def test_the_target_is_clean_and_has_enough_units(files: pool.DemoFiles) -> None:
    facts, rows = _truth(files.truth_target), _rows(files.target)
    assert not any(f["wrong"] or f["off_topic"] or f["duplicate_of"] is not None for f in facts)
    assert len({r["task"] for r in rows}) == len(kinds.UNITS) >= 16
    assert all(r["task"] == f["unit"] for r, f in zip(rows, facts, strict=True))


def test_rows_do_not_tell_the_truth(files: pool.DemoFiles) -> None:
    for row in _rows(files.pool):
        assert set(row) <= {"id", "image", "source", "conversations"}
    facts = _truth(files.truth_pool)
    by_source: dict[str, set] = {}
    for row, fact in zip(_rows(files.pool), facts, strict=True):
        by_source.setdefault(row["source"], set()).add(fact["skill"])
    assert all(len(skills) >= 5 for skills in by_source.values()), "every source mixes skills"


def test_duplicates_follow_their_original_and_keep_its_answer(files: pool.DemoFiles) -> None:
    rows, facts = _rows(files.pool), _truth(files.truth_pool)
    copies = [f for f in facts if f["duplicate_of"] is not None]
    exact = 0
    for fact in copies:
        row, first = rows[fact["index"]], rows[fact["duplicate_of"]]
        assert fact["duplicate_of"] < fact["index"]
        assert facts[fact["duplicate_of"]]["duplicate_of"] is None
        exact += row["image"] == first["image"] and row["conversations"] == first["conversations"]
        if fact["format"] in ("number", "word"):
            assert row["conversations"][1] == first["conversations"][1]
    assert exact == len(copies) / 2


def test_no_target_picture_is_in_the_pool(files: pool.DemoFiles) -> None:
    def pictures(path: Path) -> set[bytes]:
        return {(files.images / r["image"]).read_bytes() for r in _rows(path) if "image" in r}

    assert not pictures(files.pool) & pictures(files.target)


@pytest.mark.parametrize("kind", kinds.KINDS.values(), ids=lambda k: k.name)
def test_answers_are_true_unless_they_should_not_be(kind: kinds.Kind) -> None:
    rng = random.Random(3)
    for wrong in (False, True):
        for _ in range(8):
            _, ask, turn = kinds.compose(kind, rng, wrong=wrong)
            assert turn.right == (not wrong)
            assert _is_true(ask, kind.form, turn) == (not wrong)


def _is_true(ask: kinds.Ask, form: str, turn: talk.Turn) -> bool:
    """Read question and answer back without the writer's help."""
    values = words.CONCEPTS[ask.concept]
    truth = values[ask.value]
    if form == "word":
        return turn.answer == truth
    if form == "number":
        return turn.answer == str(values.index(truth) + 1)
    if form == "letter":
        options = turn.question.split("? ")[1].removesuffix(f". {words.HINTS[form]}").split(", ")
        return dict(o.split(" ") for o in options)[turn.answer] == truth
    said = turn.question.removesuffix(words.HINTS[form]).strip(" ?").split()
    if ask.colour is not None:
        said.remove(words.CONCEPTS["colour"][ask.colour])
    return (truth in said) == (turn.answer == "yes")


def test_off_topic_rows_are_short_text_with_an_answer() -> None:
    rng = random.Random(0)
    rows = [offtopic.off_topic(rng) for _ in range(500)]
    assert all(q and a and "<image>" not in q for q, a in rows)
    assert len(set(rows)) > 200


def test_oracle_is_clean_balanced_and_on_target(files: pool.DemoFiles) -> None:
    facts = _truth(files.truth_pool)
    chosen = [facts[i] for i in oracle(facts, 60)]
    assert len({f["index"] for f in chosen}) == 60
    assert all(f["on_target"] and not f["wrong"] and f["duplicate_of"] is None for f in chosen)
    assert len({f["unit"] for f in chosen}) == len(kinds.UNITS)


def test_the_fourth_pool_is_as_it_is_told(tmp_path: Path) -> None:
    from benchmarks.lab.studies import MASTERED, MIXES

    mix = PoolMix(**MIXES["fourth"] | {"size": 1000, "per_unit": 3})
    files = pool.write_mix(tmp_path, mix)
    facts, targets, rows = _truth(files.truth_pool), _truth(files.truth_target), _rows(files.pool)
    assert {f["unit"] for f in targets} == set(mix.units) and len(MASTERED) == len(mix.units) / 2
    asked = [f for f in facts if f["on_target"]]
    assert {f["kind"] for f in facts if not f["on_target"] and not f["off_topic"]} == set(mix.strays)
    assert all(f["unit"] == f["kind"] for f in asked) and not any(f["duplicate_of"] for f in facts)
    assert sum(f["kind"] in MASTERED for f in asked) / len(asked) == pytest.approx(0.65, abs=0.01)
    of = {f["family"] for f in targets}
    assert {"digit", "outline", "compare", "bars"} <= of & {f["family"] for f in facts if f["kind"] in mix.strays}
    near = 0
    for fact, row in zip(facts, rows, strict=True):
        if fact["wrong"] and fact["kind"] in ("die_number", "digit_number", "bars_number"):
            truth = 1 + words.CONCEPTS["number"].index(fact["truth"].rstrip(".").split()[-1])
            assert abs(int(row["conversations"][1]["value"]) - truth) == 1
            near += 1
    assert near > 5


@pytest.mark.parametrize("kind", kinds.CROSSED, ids=lambda k: k.name)
def test_crossed_kinds_are_true_too(kind: kinds.Kind) -> None:
    rng = random.Random(4)
    for wrong in (False, True):
        for near in (False, True):
            _, ask, turn = kinds.compose(kind, rng, wrong=wrong, near=near)
            assert turn.right == (not wrong) == _is_true(ask, kind.form, turn)


def test_a_folder_of_an_earlier_version_stays_finished() -> None:
    assert set(PoolMix().stamp) == {"seed", "size", "per_unit", "off_target", "wrong", "duplicate", "off_topic", "zipf"}
    assert PoolMix(near_miss=True).stamp["near_miss"] is True


def test_a_mixture_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="no kind 'moon'"):
        PoolMix(units=("moon",))
    with pytest.raises(ValueError, match="digit_number cannot be asked"):
        PoolMix(strays=("digit_number",))
    with pytest.raises(ValueError, match="easy"):
        PoolMix(easy=("clock_number",), easy_share=0.5)


def test_other_mixtures_can_be_drawn(tmp_path: Path) -> None:
    mix = PoolMix(
        seed=3, size=200, per_unit=1, off_target=0.5, wrong=0.0, duplicate=0.0, off_topic=0.3, zipf=0.0
    )
    facts = _truth(pool.write_mix(tmp_path, mix).truth_pool)
    assert sum(f["off_topic"] for f in facts) == 60 and not any(f["wrong"] for f in facts)
    with pytest.raises(ValueError, match="wrong"):
        replace(mix, wrong=1.5)

"""Every file of a finished study: damaged in any way it is named, it alone is made again, and nothing else changes."""

import shutil
from pathlib import Path

import pytest

from cadc.jobs.engines import EngineSettings
from cadc.jobs.integrity import damaged
from cadc.jobs.worker import run
from cadc.study import JOBS, Study
from cadc.study.jobs import core_jobs

WAYS = ("flipped", "cut", "removed")


@pytest.fixture(scope="module")
def study(finished, tmp_path_factory) -> Study:
    """A finished study of one's own; every test leaves it as it was."""
    root = tmp_path_factory.mktemp("copied")
    shutil.copytree(finished.root, root / "new")
    return Study.open("small", root=root / "new")


def content(study: Study) -> dict[str, bytes]:
    """Bytes of every result file, by its place, but for those that say when and how fast."""
    found = {}
    for job in core_jobs(study.config):
        result = study.result(job)
        volatile = JOBS[job].volatile
        for path in sorted(p for p in result.folder.rglob("*") if p.is_file() and p.suffix != ".lock"):
            name = path.relative_to(result.folder).as_posix()
            if path.name != "record.json" and not any(Path(name).match(pattern) for pattern in volatile):
                found[f"{job}/{name}"] = path.read_bytes()
    return found


def harm(path: Path, way: str) -> None:
    """Damage a file."""
    data = bytearray(path.read_bytes())
    if way == "removed":
        path.unlink()
    elif way == "cut":
        path.write_bytes(data[:len(data) // 2])
    else:
        data[len(data) * 2 // 3] ^= 0x10
        path.write_bytes(data)


def all_files(study: Study) -> list[Path]:
    """Every file that the jobs of the study have left under its keys, records included."""
    found = []
    for job in core_jobs(study.config):
        result = study.result(job)
        found += [p for p in sorted(result.folder.rglob("*")) if p.is_file() and p.suffix != ".lock"
                  and p.stat().st_size]
        found.append(result.folder.with_name(f"{result.key}.json"))
    return found


def test_every_file_is_noticed_named_and_alone_made_again(study):
    before, files = content(study), all_files(study)
    assert len(files) > 60 and not damaged(study)
    for number, path in enumerate(files):
        way = WAYS[number % 3]
        job = path.relative_to(study.root / "results").parts[0]
        times = {p: p.stat().st_mtime_ns for p in files}
        harm(path, way)
        named = damaged(study)
        assert [d.file for d in named] == [path], (path, named)
        assert named[0].job == job and "file " not in named[0].what.split(" ")[0], named[0].what
        assert run(study, "", EngineSettings(workers=1)), path
        assert not damaged(study), path
        after = content(study)
        changed = [name for name in before if after.get(name) != before[name]]
        assert not changed and after.keys() == before.keys(), (path, way, changed)
        others = [p for p in files if p.stat().st_mtime_ns != times[p]
                  and p.relative_to(study.root / "results").parts[0] != job]
        assert not others, (path, others)


def test_a_damaged_column_is_an_error_where_it_is_read(study):
    from cadc.errors import JobError
    from cadc.scores.scores import Scores

    path = study.result("near").folder / "near.joined.npy"
    kept = path.read_bytes()
    harm(path, "flipped")
    with pytest.raises(JobError, match="near/near.joined.npy.*has other bytes than were written.*makes it again"):
        Scores.load(study)
    path.write_bytes(kept)
    assert Scores.load(study).near.shape[0] == 6


def test_a_plain_copy_of_a_cache_is_the_same_study(study, tmp_path):
    from cadc.curation.workbench import open_workbench
    from cadc.export import export
    from cadc.scores.scores import Scores

    shutil.copytree(study.root, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    copied = Study.open("small", root=tmp_path / "elsewhere")
    assert copied.complete and not damaged(copied)
    for choice in ("gradients", "joined"):
        one, other = (Scores.load(s, near=choice) for s in (study, copied))
        assert all((getattr(one, name) == getattr(other, name)).all() for name in ("near", "best_index", "best_value"))
    written = [export(open_workbench(s), tmp_path / name) for s, name in ((study, "a"), (copied, "b"))]
    for one, other in zip(written[0].files, written[1].files, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_a_replaced_picture_is_read_again(finished, tmp_path):
    shutil.copytree(finished.root.parent, tmp_path / "moved")
    root = tmp_path / "moved"
    from dataclasses import replace

    own = {role: str(root / "data" / f"{role}.jsonl") for role in ("pool", "target")}
    study = Study.create("other", replace(finished.config, **own, images=str(root / "data")), created="",
                         root=root / "new")
    assert study.complete, "the same content at another place is the same question"
    keys = {job: study.key(job) for job in core_jobs(study.config)}
    pictures = sorted((root / "data" / "images").glob("pool-*.png"))
    pictures[0].write_bytes(pictures[1].read_bytes())
    assert run(study, "ingest", EngineSettings(workers=1))
    assert all(study.key(job) != key for job, key in keys.items()), "every later key rests on the pictures"
    assert not study.finished("warmup")

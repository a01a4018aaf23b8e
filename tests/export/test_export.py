"""An export can be read back, is the same every time, and says where it comes from."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.data import Sample, Turn, ingest, open_images
from cadc.data.files import open_rows
from cadc.errors import DataError
from cadc.export import FORMATS, Pictures, export, write_curriculum
from cadc.study import Study, file_digest


def llava(question: str, answer: str, image=None, **more) -> dict:
    row = {"conversations": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]} | more
    return row if image is None else row | {"image": image}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Three pictures, one in a folder."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "vg").mkdir()
    for number, name in enumerate(("a.png", "b.png", "vg/ü c.png")):
        Image.new("RGB", (8, 8), (number * 90, 20, 200)).save(folder / name)
    return folder


def ordered(found, order=None, stages=3) -> pd.DataFrame:
    """Rows of a curriculum over the accepted samples, in this order."""
    order = list(range(len(found.samples)))[::-1] if order is None else order
    stage = np.arange(len(order)) * stages // max(len(order), 1) + 1
    return pd.DataFrame({"index": [found.samples[i].index for i in order], "stage": stage,
                         "id": [found.samples[i].id for i in order],
                         "influence": np.float32(0.1) * np.arange(len(order), dtype=np.float32),
                         "loss": [float("nan"), *([1.5] * (len(order) - 1))][:len(order)]})


def table_of(found) -> pd.DataFrame:
    return pd.DataFrame({"index": [s.index for s in found.samples], "raw": found.raw})


def written(found, root, folder, form, rows=None, **more):
    rows = ordered(found) if rows is None else rows
    return write_curriculum(rows, table_of(found), found.samples, {"input_format": found.format}, folder, format=form,
                            pictures=Pictures(root=root, **more))


WORDS = st.text(min_size=1, max_size=12).filter(
    lambda t: t.strip() and "\0" not in t and "<image>" not in t and not any("\ud800" <= c <= "\udfff" for c in t))
PIECES = st.lists(WORDS | st.sampled_from(["a.png", "b.png", "vg/ü c.png"]).map(lambda name: {"picture": name}),
                  min_size=1, max_size=4)


@st.composite
def chats(draw) -> dict:
    """A chat row with content blocks, in the project's normal form or not quite."""
    messages, images = [], []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(WORDS)})
    for _ in range(draw(st.integers(1, 2))):
        pieces = draw(PIECES)
        images += [p["picture"] for p in pieces if isinstance(p, dict)]
        blocks = [{"type": "image"} if isinstance(p, dict) else {"type": "text", "text": p} for p in pieces]
        messages += [{"role": "user", "content": blocks}, {"role": "assistant", "content": draw(WORDS)}]
    row = {"messages": messages, "images": images}
    return row | ({"id": draw(WORDS)} if draw(st.booleans()) else {})


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(chats(), min_size=1, max_size=6), data=st.data())
def test_every_format_reads_back_to_the_same_turns_pictures_and_order(root, tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("out")
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = ingest(folder / "in.jsonl", root)
    assert len(found.samples) == len(rows), found.set_aside
    order = data.draw(st.permutations(range(len(rows))))
    for form in FORMATS:
        out = folder / form
        done = written(found, root, out, form, ordered(found, order))
        for file in [f for f in done.files if f.name.startswith("curriculum")]:
            back = ingest(file, root)
            assert [(s.turns, s.images, s.id) for s in back.samples] == [
                (found.samples[i].turns, found.samples[i].images, found.samples[i].id) for i in order]
            assert not back.set_aside
        parts = [row.raw for f in sorted(out.glob("stage-*.jsonl")) for row in open_rows(f)]
        assert parts == (out / "curriculum.jsonl").read_text().split("\n")[:-1]


@pytest.fixture
def found(root, tmp_path):
    rows = [llava("<image>\nWhat?", "red", "a.png", id="r0"), llava("Hi", "Ho\u2028ho", id="r1"), 5,
            llava("<image> or <image>?", "first", ["a.png", "vg/ü c.png"], id="r3", extra={"n": 1.0}),
            llava("untagged", "x", "b.png", id="r4")]
    (tmp_path / "in.json").write_text(json.dumps(rows, indent=1))
    return ingest(tmp_path / "in.json", root)


def lines(path: Path) -> list[dict]:
    return [json.loads(text) for text in path.read_text().split("\n")[:-1]]


def test_llava_rows_are_what_its_trainer_reads(found, root, tmp_path):
    done = written(found, root, tmp_path / "out", "llava", ordered(found, [0, 1, 2, 3]))
    rows = lines(tmp_path / "out" / "curriculum.jsonl")
    assert rows[0] == llava("<image>\nWhat?", "red", "a.png", id="r0") and "image" not in rows[1]
    assert rows[2]["image"] == ["a.png", "vg/ü c.png"] and rows[3]["conversations"][0]["value"] == "<image>\nuntagged"
    assert json.loads((tmp_path / "out" / "curriculum.json").read_text()) == rows
    assert [f.name for f in done.files][-2:] == ["TRAINING.md", "manifest.json"] and done.rows == 4


def test_blocks_have_a_list_of_pictures_in_every_row_and_no_tag(found, root, tmp_path):
    written(found, root, tmp_path / "out", "messages-blocks", ordered(found, [0, 1, 2, 3]))
    rows = lines(tmp_path / "out" / "curriculum.jsonl")
    assert [len(row["images"]) for row in rows] == [1, 0, 2, 1]
    for row in rows:
        blocks = [block for message in row["messages"] for block in message["content"]]
        assert sum(block["type"] == "image" for block in blocks) == len(row["images"])
    assert "<image>" not in (tmp_path / "out" / "curriculum.jsonl").read_text()


def test_tags_come_with_a_data_description_that_names_every_file(found, root, tmp_path):
    written(found, root, tmp_path / "out", "messages-tags")
    rows = lines(tmp_path / "out" / "curriculum.jsonl")
    assert all(m["content"].count("<image>") == len(r["images"]) for r in rows for m in r["messages"][:1])
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert all((tmp_path / "out" / entry["file_name"]).is_file() for entry in info.values()) and len(info) == 4


def test_input_rows_are_written_as_they_stood(found, root, tmp_path):
    written(found, root, tmp_path / "out", "input", ordered(found, [3, 0]))
    assert (tmp_path / "out" / "curriculum.jsonl").read_text().split("\n")[:-1] == [found.raw[3], found.raw[0]]


def test_no_line_breaks_where_a_reader_might_see_one(found, root, tmp_path):
    for form in FORMATS:
        written(found, root, tmp_path / form, form)
        text = (tmp_path / form / "curriculum.jsonl").read_text()
        assert len(text.splitlines()) == 4


def test_the_same_curriculum_gives_the_same_bytes(found, root, tmp_path):
    for form in FORMATS:
        for out in ("one", "two"):
            written(found, root, tmp_path / out / form, form)
        one, two = ({p.name: p.read_bytes() for p in (tmp_path / out / form).iterdir()} for out in ("one", "two"))
        assert one == two and len(one) > 5


def test_the_manifest_tells_files_stages_and_scores(found, root, tmp_path):
    done = written(found, root, tmp_path / "out", "llava")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest == done.manifest
    assert all(file_digest(tmp_path / "out" / f["file"]) == f["sha256"] for f in manifest["files"])
    assert [(s["file"], s["first"], s["last"]) for s in manifest["stage_files"]] == [
        ("stage-01.jsonl", 0, 2), ("stage-02.jsonl", 2, 3), ("stage-03.jsonl", 3, 4)]
    assert [r["index"] for r in manifest["rows"]] == [4, 3, 1, 0] and manifest["rows"][0]["loss"] is None
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]


def test_stage_names_sort_as_numbers(root, tmp_path):
    (tmp_path / "in").write_text("\n".join(json.dumps(llava("Hi", f"{n}")) for n in range(120)))
    found = ingest(tmp_path / "in", root)
    done = written(found, root, tmp_path / "out", "messages-blocks", ordered(found, stages=120))
    names = [s["file"] for s in done.manifest["stage_files"]]
    assert names == sorted(names) and names[0] == "stage-001.jsonl"


def test_an_earlier_export_is_replaced_and_foreign_files_are_not(found, root, tmp_path):
    out = tmp_path / "out"
    written(found, root, out, "llava")
    (out / "notes.txt").write_text("mine")
    written(found, root, out, "messages-blocks", ordered(found, stages=1))
    assert {p.name for p in out.iterdir()} == {"curriculum.jsonl", "stage-01.jsonl", "manifest.json", "TRAINING.md",
                                               "notes.txt"}
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text('{"name": "someone else"}')
    with pytest.raises(DataError, match="not of an export"):
        written(found, root, other, "llava")


def test_what_cannot_be_exported_is_one_clear_line(found, root, tmp_path):
    with pytest.raises(DataError, match="unknown"):
        written(found, root, tmp_path / "x", "csv")
    with pytest.raises(DataError, match="no rows"):
        written(found, root, tmp_path / "x", "llava", ordered(found, []))
    with pytest.raises(DataError, match="pool row 77"):
        written(found, root, tmp_path / "x", "llava", pd.DataFrame({"index": [77], "stage": [1]}))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        written(found, root, tmp_path / "file", "llava")
    turns = (Turn(role="user", parts=("see <image>",)), Turn(role="assistant", parts=("x",)))
    literal = dataclasses.replace(found, samples=[Sample(index=0, id="", turns=turns)], raw=["{}"])
    with pytest.raises(DataError, match="contains <image> itself"):
        written(literal, root, tmp_path / "x", "messages-blocks")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("absolute", [False, True])
def test_embedded_pictures_travel_with_the_export(root, tmp_path, form, absolute):
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), "purple").save(buffer, "PNG")
    chat = [[{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "red"}]] * 2
    cells = [{"bytes": buffer.getvalue(), "path": "x.png"}, {"bytes": None, "path": "vg/ü c.png"}]
    pq.write_table(pa.table({"image": cells, "messages": chat}), tmp_path / "in")
    found = ingest(tmp_path / "in", root, embedded_to=tmp_path / "kept")
    out = tmp_path / "out"
    written(found, root, out, form, ordered(found, [0, 1], 1), embedded=tmp_path / "kept", absolute=absolute)
    back = ingest(out / "curriculum.jsonl", out)
    assert not back.set_aside
    for sample, again in zip(found.samples, back.samples, strict=True):
        assert np.array_equal(open_images(sample, root, tmp_path / "kept")[0], open_images(again, out)[0])
    shown = lines(out / "curriculum.jsonl")[0]
    path = shown["image"] if "image" in shown else shown["images"][0]
    assert Path(path).is_absolute() == absolute
    assert ("the pictures lie in `images/`" in (out / "TRAINING.md").read_text()) != absolute


def test_absolute_paths_on_request(found, root, tmp_path):
    written(found, root, tmp_path / "out", "messages-blocks", ordered(found, [0]), absolute=True)
    assert lines(tmp_path / "out" / "curriculum.jsonl")[0]["images"] == [str(root / "a.png")]


def test_input_rows_get_absolute_paths_or_a_clear_error(root, tmp_path):
    rows = [llava("<image>Q", "x", "vg/ü c.png"), llava("<image>Q", "x", str(root / "a.png"))]
    for name, text in (("ascii", json.dumps(rows)), ("utf-8", json.dumps(rows, ensure_ascii=False))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        written(ingest(tmp_path / name, root), root, tmp_path / "out", "input", absolute=True)
        assert [row["image"] for row in lines(tmp_path / "out" / "curriculum.jsonl")] == [
            str(root / "a.png"), str(root / "vg/ü c.png")]
    (tmp_path / "in").write_text(json.dumps([llava("<image>Q", "x", f"file://{root}/b.png")]))
    with pytest.raises(DataError, match="another format"):
        written(ingest(tmp_path / "in", root), root, tmp_path / "out", "input", absolute=True)


@pytest.mark.parametrize("form, wanted", [
    ("llava", ["--image_folder", "--group_by_modality_length"]),
    ("messages-tags", ["--dataset_shuffle false --train_dataloader_shuffle false", "--split_dataset_ratio 0",
                       "disable_shuffling: true", "val_size: 0"]),
    ("messages-blocks", ['train_sampling_strategy="sequential"', "shuffle_dataset=False", "curriculum_sampling: true",
                         "shuffle_merged_datasets: false"])])
def test_the_settings_that_keep_the_order_are_written_beside_it(found, root, tmp_path, form, wanted):
    written(found, root, tmp_path / "out", form)
    text = (tmp_path / "out" / "TRAINING.md").read_text()
    assert all(setting in text for setting in wanted) and str(root) in text and "stage-03.jsonl" in text


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """A finished study of 60 pool rows and 4 units."""
    return synthesise(tmp_path_factory.mktemp("finished"), rows=60, units=4, checkpoints=2, samples_per_unit=6)


def test_a_workbench_is_exported_with_all_that_led_to_it(study, tmp_path):
    workbench = open_workbench(study).with_settings(budget=0.2)
    done = export(workbench, tmp_path / "out", format="input")
    assert done.rows == len(workbench.curriculum.rows) == 12
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["study"] == study.name and manifest["identity"] == study.identity
    assert manifest["model"] == study.config.model
    assert {c for row in manifest["rows"] for c in row} >= {"index", "id", "stage", "capability", "influence", "loss",
                                                            "self_influence", "target_id", "target_value"}
    assert {key for key in manifest} >= {"inputs", "seeds", "preset", "discovery", "capabilities", "budgets", "stages",
                                         "counts", "curation", "config", "input_format"}
    assert [str(json.loads(r)["id"]) for r in (tmp_path / "out" / "curriculum.jsonl").read_text().split("\n")[:-1]] == [
        row["id"] for row in manifest["rows"]]
    again = export(workbench, tmp_path / "again", format="input")
    for one, two in zip(done.files, again.files, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_every_format_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    assert [name for name in FORMATS if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("shape, container, wanted, beside", [
    ("llava", "jsonl", "LLaVA-NeXT", False), ("messages-tags", "json", "LLaMA-Factory", True),
    ("messages-blocks", "jsonl", "SFTTrainer", False), ("question-answer", "parquet", "transformers Trainer", False)])
def test_rows_as_they_came_bring_what_trainers_of_their_shape_need(found, root, tmp_path, shape, container, wanted,
                                                                   beside):
    done = write_curriculum(ordered(found), table_of(found), found.samples, {"input_format": f"{shape} {container}"},
                            tmp_path / "out", format="input", pictures=Pictures(root=root))
    assert wanted in (tmp_path / "out" / "TRAINING.md").read_text()
    assert (tmp_path / "out" / "dataset_info.json").exists() == beside
    assert any(path.name == "curriculum.json" for path in done.files) == (container == "json")


def test_llavas_trainer_is_told_of_system_turns(found, root, tmp_path):
    write_curriculum(ordered(found), table_of(found), found.samples, {"system_turns": 3}, tmp_path / "out",
                     format="llava", pictures=Pictures(root=root))
    assert "rows with one here: 3." in (tmp_path / "out" / "TRAINING.md").read_text()


def test_the_guide_says_where_pictures_lie(found, root, tmp_path):
    def guide(**more) -> str:
        written(found, root, tmp_path / "out", "llava", **more)
        return (tmp_path / "out" / "TRAINING.md").read_text()

    assert f"it was `{root}`" in guide() and "fit the machine that wrote them" in guide(absolute=True)

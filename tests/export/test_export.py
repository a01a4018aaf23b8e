"""An export can be read back, is the same every time, and says where it comes from."""

import dataclasses
import io
import json
import unicodedata
from pathlib import Path

import curricula
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exports import everything, lines, llava, ordered, table_of, written
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.synthesise import synthesise
from cadc.curation.workbench import open_workbench
from cadc.data import Sample, Turn, ingest, open_images
from cadc.data.files import open_rows
from cadc.errors import DataError
from cadc.export import FORMATS, Pictures, export, write_curriculum
from cadc.export.recipe import ONE_RUN
from cadc.study import Study, file_digest


def _fit(text: str) -> bool:
    """Whether it has something to be seen (a row of soft hyphens is set aside) and nothing that is read otherwise."""
    kinds = {unicodedata.category(c) for c in text}
    return any(kind[0] in "LNPS" for kind in kinds) and "Cs" not in kinds and "\0" not in text and "<image>" not in text


WORDS = st.text(min_size=1, max_size=12).filter(_fit)
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


READ_BACK = [name for name, form in FORMATS.items() if form.shape is not None and form.write is None]
"""Formats whose files our own reader takes."""


def meant(sample: Sample) -> tuple:
    """What a row says, however its text is cut into pieces."""
    said = [(t.role, "".join(p if isinstance(p, str) else f"\0{p}\0" for p in t.parts), t.learnt)
            for t in sample.turns]
    return said, sample.id


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(chats(), min_size=1, max_size=6), data=st.data())
def test_every_format_reads_back_to_the_same_turns_pictures_and_order(root, tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("out")
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = ingest(folder / "in.jsonl", root)
    assert len(found.samples) == len(rows), found.set_aside
    order = data.draw(st.permutations(range(len(rows))))
    for form in READ_BACK:
        if all(FORMATS[form].refuses(sample) for sample in found.samples):
            continue
        out = folder / form
        done = written(found, root, out, form, ordered(found, order), how="copy")
        held = [FORMATS[form].adapt(found.samples[i]) for i in order if not FORMATS[form].refuses(found.samples[i])]
        for file in [f for f in done.files if f.name.startswith("curriculum")]:
            back = ingest(file, out)
            assert [meant(s) for s in back.samples] == [meant(s) for s in held], form
            for sample, again in zip(held, back.samples, strict=True):
                for one, two in zip(open_images(sample, root), open_images(again, out), strict=True):
                    assert np.array_equal(one, two)
            assert not back.set_aside
        parts = [row.raw for f in sorted(out.glob("stage-*.jsonl")) for row in open_rows(f)]
        assert parts == (out / "curriculum.jsonl").read_text().split("\n")[:-1]


def test_marks_and_other_columns_read_back_too(tmp_path):
    place = curricula.pictures(tmp_path / "pictures")
    for form in READ_BACK:
        done = curricula.written(tmp_path / form, place, form, how="copy")
        taken = set(done.manifest["columns"]["written"])
        back = {sample.id: sample for sample in ingest(tmp_path / form / "curriculum.jsonl", tmp_path / form).samples}
        held = [FORMATS[form].adapt(s) for s in curricula.samples() if not FORMATS[form].refuses(s)]
        for sample in held:
            again = back[sample.id]
            assert meant(again) == meant(sample), (form, sample.id)
            own = {key: value for key, value in json.loads(sample.kept).items() if key in taken}
            read = {key: value for key, value in json.loads(again.kept).items() if value is not None}
            assert {key: read[key] for key in own} == own and set(read) - set(own) <= {"cadc_stage", "cadc_capability"}


def test_llava_rows_are_what_its_trainer_reads(found, root, tmp_path):
    done = written(found, root, tmp_path / "out", "llava", ordered(found, [0, 1, 2, 3], 1))
    rows = json.loads((tmp_path / "out" / "curriculum.json").read_text())
    assert [row["id"] for row in rows] == ["r0", "r1", "r4"]
    assert rows[0]["image"] == "images/a.png" and "image" not in rows[1]
    assert [row["conversations"][0]["value"].startswith("<image>") for row in rows] == [True, False, True]
    assert done.manifest["not_written"]["list"] == [
        {"index": 3, "id": "r3", "reason": "several pictures: LLaVA takes one a row"}]
    assert "`several pictures: LLaVA takes one a row` 1" in (tmp_path / "out" / "README.md").read_text()
    assert [f.name for f in done.files][-2:] == ["README.md", "manifest.json"] and done.rows == 3
    done = written(found, root, tmp_path / "next", "llava-next", ordered(found, [0, 1, 2, 3]))
    rows = json.loads((tmp_path / "next" / "curriculum.json").read_text())
    assert [row.get("image") for row in rows] == [["images/a.png"], None, ["images/a.png", "images/vg/ü c.png"],
                                                 ["images/b.png"]]


def test_blocks_have_a_list_of_pictures_in_every_row_and_no_tag(found, root, tmp_path):
    written(found, root, tmp_path / "out", "hub", ordered(found, [0, 1, 2, 3]), how="copy")
    rows = lines(tmp_path / "out" / "curriculum.jsonl")
    assert [len(row["images"]) for row in rows] == [1, 0, 2, 1]
    for row in rows:
        blocks = [block for message in row["messages"] for block in message["content"]]
        assert sum(block["type"] == "image" for block in blocks) == len(row["images"])
    assert "<image>" not in (tmp_path / "out" / "curriculum.jsonl").read_text()


def test_axolotls_blocks_name_their_pictures_and_there_is_no_column_of_them(found, root, tmp_path):
    written(found, root, tmp_path / "out", "axolotl", ordered(found, [0, 1, 2, 3]))
    rows = lines(tmp_path / "out" / "curriculum.jsonl")
    shown = [[block["path"] for turn in row["messages"] for block in turn["content"] if block["type"] == "image"]
             for row in rows]
    assert shown == [["images/a.png"], [], ["images/a.png", "images/vg/ü c.png"], ["images/b.png"]]
    assert all("images" not in row for row in rows)


def test_tags_come_with_a_data_description_that_names_every_file(found, root, tmp_path):
    written(found, root, tmp_path / "out", "llamafactory")
    rows = lines(tmp_path / "out" / "curriculum.jsonl")
    assert all(m["content"].count("<image>") == len(r["images"]) for r in rows for m in r["messages"][:1])
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert all((tmp_path / "out" / entry["file_name"]).is_file() for entry in info.values()) and len(info) == 4


def test_input_rows_are_written_as_they_stood(found, root, tmp_path):
    written(found, root, tmp_path / "out", "input", ordered(found, [3, 0]))
    assert (tmp_path / "out" / "curriculum.jsonl").read_text().split("\n")[:-1] == [found.raw[3], found.raw[0]]


def test_no_line_breaks_where_a_reader_might_see_one(found, root, tmp_path):
    for form in FORMATS:
        done = written(found, root, tmp_path / form, form, how="copy" if FORMATS[form].pictures else None)
        for path in tmp_path.joinpath(form).glob("*.jsonl"):
            wanted = next(f["rows"] for f in done.manifest["files"] if f["file"] == path.name)
            assert len(path.read_text().splitlines()) == wanted


@pytest.mark.parametrize("form, how", [(name, how) for name, form in FORMATS.items()
                                       for how in form.pictures or (None,) if how != "absolute"])
def test_the_same_curriculum_gives_the_same_bytes(found, root, tmp_path, form, how):
    for out in ("one", "two"):
        written(found, root, tmp_path / out, form, how=how)
    assert everything(tmp_path / "one") == everything(tmp_path / "two") and len(everything(tmp_path / "one")) > 3


def test_the_manifest_tells_files_stages_and_scores(found, root, tmp_path):
    done = written(found, root, tmp_path / "out", "llava")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest == done.manifest
    assert {f["file"] for f in manifest["picture_files"]} == {"images/a.png", "images/b.png"}
    named = [f for key in ("files", "beside", "picture_files") for f in manifest[key]]
    assert all(file_digest(tmp_path / "out" / f["file"]) == f["sha256"] for f in named)
    assert {f["file"] for f in named} == set(everything(tmp_path / "out")) - {"manifest.json"}
    assert [(s["file"], s["first"], s["last"]) for s in manifest["stage_files"]] == [
        ("stage-01.jsonl", 0, 1), ("stage-02.jsonl", 1, 2), ("stage-03.jsonl", 2, 3)]
    assert [r["index"] for r in manifest["rows"]] == [4, 1, 0] and manifest["rows"][0]["loss"] is None
    assert all(len(r["content"]) == 16 for r in manifest["rows"])
    assert not [p for p in (tmp_path / "out").iterdir() if p.name.startswith(".")]


def test_stage_names_sort_as_numbers(root, tmp_path):
    (tmp_path / "in").write_text("\n".join(json.dumps(llava("Hi", f"{n}")) for n in range(120)))
    found = ingest(tmp_path / "in", root)
    done = written(found, root, tmp_path / "out", "trl", ordered(found, stages=120))
    names = [s["file"] for s in done.manifest["stage_files"]]
    assert names == sorted(names) and names[0] == "stage-001.jsonl"


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
        written(literal, root, tmp_path / "x", "trl")


@pytest.mark.parametrize("form, absolute", [(form, absolute) for form in ("llava", "ms-swift", "hub", "input")
                                            for absolute in (False, True) if (form, absolute) != ("hub", True)])
def test_embedded_pictures_travel_with_the_export(root, tmp_path, form, absolute):
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), "purple").save(buffer, "PNG")
    chat = [[{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "red"}]] * 2
    cells = [{"bytes": buffer.getvalue(), "path": "x.png"}, {"bytes": None, "path": "vg/ü c.png"}]
    pq.write_table(pa.table({"image": cells, "messages": chat}), tmp_path / "in")
    found = ingest(tmp_path / "in", root, embedded_to=tmp_path / "kept")
    out = tmp_path / "out"
    written(found, root, out, form, ordered(found, [0, 1], 1), embedded=tmp_path / "kept",
            how="absolute" if absolute else "copy")
    back = ingest(out / "curriculum.jsonl", out if not absolute else tmp_path.parents[2])
    assert not back.set_aside
    base = out if not absolute else tmp_path.parents[2]
    for sample, again in zip(found.samples, back.samples, strict=True):
        assert np.array_equal(open_images(sample, root, tmp_path / "kept")[0], open_images(again, base)[0])
    shown = lines(out / "curriculum.jsonl")[0]
    path = shown["image"] if "image" in shown else shown["images"][0]
    assert Path(path["path"] if isinstance(path, dict) else path).is_absolute() == absolute
    assert ("Pictures lie" in (out / "README.md").read_text()) != absolute


def test_absolute_paths_on_request(found, root, tmp_path):
    written(found, root, tmp_path / "out", "trl", ordered(found, [0]), how="absolute")
    assert lines(tmp_path / "out" / "curriculum.jsonl")[0]["images"] == [str(root / "a.png")]
    assert not (tmp_path / "out" / "images").exists()


def test_input_rows_get_absolute_paths_or_a_clear_error(root, tmp_path):
    rows = [llava("<image>Q", "x", "vg/ü c.png"), llava("<image>Q", "x", str(root / "a.png"))]
    for name, text in (("ascii", json.dumps(rows)), ("utf-8", json.dumps(rows, ensure_ascii=False))):
        (tmp_path / name).write_text(text, encoding="utf-8")
        written(ingest(tmp_path / name, root), root, tmp_path / "out", "input", how="absolute")
        assert [row["image"] for row in lines(tmp_path / "out" / "curriculum.jsonl")] == [
            str(root / "a.png"), str(root / "vg/ü c.png")]
    (tmp_path / "in").write_text(json.dumps([llava("<image>Q", "x", f"file://{root}/b.png")]))
    with pytest.raises(DataError, match="another format"):
        written(ingest(tmp_path / "in", root), root, tmp_path / "out", "input", how="absolute")


@pytest.mark.parametrize("form, name, wanted", [
    ("trl", "train.py", ['train_sampling_strategy="sequential"', "shuffle_dataset=False", "max_length=None"]),
    ("llamafactory", "llamafactory.yaml", ["disable_shuffling: true", "val_size: 0", "media_dir: .", "streaming: false",
                                           "cutoff_len: 4096"]),
    ("ms-swift", "run.sh", ["--dataset_shuffle false --train_dataloader_shuffle false", "--split_dataset_ratio 0",
                            "--strict true", 'ROOT_IMAGE_DIR="$PWD"', "--max_length 4096"]),
    ("axolotl", "axolotl.yaml", ["curriculum_sampling: true", "shuffle_merged_datasets: false",
                                 "sample_packing: false"]),
    ("llava", "sequential.py", ["SequentialSampler"]),
    ("llava", "run.sh", ["--image_folder .", "--group_by_modality_length False", "--data_path curriculum.json"]),
    ("llava-next", "sequential.py", ["SequentialSampler", "_get_item"])])
def test_what_keeps_order_and_loss_stands_in_the_trainers_own_config(found, root, tmp_path, form, name, wanted):
    written(found, root, tmp_path / "out", form)
    text = (tmp_path / "out" / name).read_text()
    assert all(setting in text for setting in wanted)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "stage-03.jsonl" in card and str(tmp_path) not in card + text, "no place of this machine"


@pytest.mark.parametrize("form, name, wanted, kept", [
    ("trl", "recipe.json", '"order": "anew"', '"order": "file"'),
    ("llamafactory", "llamafactory.yaml", "disable_shuffling: false", "disable_shuffling: true"),
    ("ms-swift", "run.sh", "--train_dataloader_shuffle true", "--train_dataloader_shuffle false"),
    ("axolotl", "axolotl.yaml", "curriculum_sampling: false", "curriculum_sampling: true"),
    ("llava", "run.sh", "${ORDER:-anew}", "${ORDER:-file}"),
    ("llava-next", "run.sh", "${ORDER:-anew}", "${ORDER:-file}"),
    ("webdataset", "README.md", "`.shuffle(N)`", "no `.shuffle("), ("hub", "README.md", "as one mixed stage should be",
                                                                  "for a run that keeps the order"),
    ("ids", "README.md", "shuffle anew in every pass", "nothing shuffled"),
    ("input", "README.md", "shuffle anew in every pass", "see that it keeps the order")])
def test_a_mixed_stage_is_shuffled_anew_and_stages_keep_their_order(found, root, tmp_path, form, name, wanted, kept):
    for staging, stages in (("mix", 1), ("soft", 3), ("soft", 1)):
        written(found, root, tmp_path / f"{staging}{stages}", form, ordered(found, stages=stages), staging)
        text = (tmp_path / f"{staging}{stages}" / name).read_text()
        assert (wanted in text) == (staging == "mix") and (staging == "mix" or kept in text)


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
    told = manifest["recipe"]
    assert (told["steps"], told["batch"], told["learning_rate"]) == (150, 32, 3e-3)
    assert told["rank"] == study.config.lora_rank
    assert told["compared"] is False and manifest["pool_rows"]["set_aside"] > 0
    assert "Left out in the run: 0 rows" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize("staging, said", [("mix", "All rows are one mixed stage"),
                                           ("soft", ONE_RUN.replace("\n", " "))])
def test_the_card_says_whether_the_order_matters(study, tmp_path, staging, said):
    bench = open_workbench(study).with_settings(budget=0.5, staging=staging)
    export(bench, tmp_path / "out", format="input")
    card, stages = (tmp_path / "out" / "README.md").read_text(), len(bench.curriculum.stages)
    assert said in card and len(list((tmp_path / "out").glob("stage-*.jsonl"))) == stages
    assert (stages > 1) == (staging == "soft")
    assert ("The order of the rows is the point" in card) == (staging == "soft")


def test_every_format_is_documented():
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    assert [name for name in FORMATS if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("container", ["jsonl", "json"])
def test_rows_as_they_came_come_as_a_list_where_the_pool_was_one(found, root, tmp_path, container):
    done = write_curriculum(ordered(found), table_of(found), found.samples, {"input_format": f"llava {container}"},
                            tmp_path / "out", format="input", pictures=Pictures(root=root), recipe=curricula.recipe())
    assert any(path.name == "curriculum.json" for path in done.files) == (container == "json")
    assert (tmp_path / "out" / "vg" / "ü c.png").is_file(), "pictures lie where the rows say"


def test_a_system_turn_stands_at_the_head_of_the_question_where_a_trainer_knows_none(root, tmp_path):
    row = {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "<image>What?"},
                        {"role": "assistant", "content": "red"}], "images": ["a.png"]}
    (tmp_path / "in").write_text(json.dumps([row]))
    found = ingest(tmp_path / "in", root)
    for form in ("llava", "llava-next"):
        done = written(found, root, tmp_path / form, form, stages_of(found))
        turns = lines(tmp_path / form / "curriculum.jsonl")[0]["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"]
        assert turns[0]["value"] == "Be brief.\n<image>What?" and done.manifest["changed_for_the_trainer"] == 1
        assert "Changed for this trainer: 1 rows" in (tmp_path / form / "README.md").read_text()


def stages_of(found) -> pd.DataFrame:
    return ordered(found, stages=1)

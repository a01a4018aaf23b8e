"""Commands about pool rows say what the page says, and decide what it decides."""

import json

import numpy as np

from cadc.curation.marks import marks_of
from cadc.curation.workbench import open_workbench
from cadc.study.decisions import read_decisions


def test_a_filter_finds_the_rows_of_the_table(trial, told, said, tmp_path):
    table = open_workbench(trial).table
    source = table["source"].iloc[0]
    mine = table["index"][table["source"] == source].tolist()
    found = told("rows", "trial", "--where", f"source={source}", "sort=file", "down=0")
    assert found["index"] == mine and found["rows"] == len(mine) and found["of"] == 300
    assert said("rows", "trial", "--where", f"source={source}", "--most", "3").count("\n") == 4
    out = tmp_path / "rows.jsonl"
    told("rows", "trial", "--where", f"source={source}", "sort=file", "down=0", "--out", str(out))
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == table.set_index("index")["id"][
        mine].tolist()


def test_rows_are_found_by_marks_words_and_loss(trial, told):
    bench = open_workbench(trial)
    told("tag", "trial", "odd", "3,5-9")
    assert told("rows", "trial", "--where", "mark=tag:odd", "sort=file", "down=0")["index"] == [3, 5, 6, 7, 8, 9]
    word = bench.table["answer"].iloc[4]
    found = told("rows", "trial", "--where", f"words={word}")["index"]
    assert sorted(found) == [row.index for row in bench.table.itertuples(name="Row", index=False)
                             if word.lower() in f"{row.question}\n{row.answer}\n{row.id}".lower()]
    loss = np.asarray(bench.scores.last_loss)
    assert sorted(told("rows", "trial", "--where", "loss=1..")["index"]) == np.flatnonzero(loss >= 1).tolist()


def test_what_is_said_of_rows_is_a_decision(trial, told, said):
    told("tag", "trial", "odd", "3,5-9")
    told("tag", "trial", "odd", "6", "--off")
    told("checked", "trial", "0-4")
    assert "note on pool row 7: look" in said("note", "trial", "7", "look")
    marks = marks_of(d for d in read_decisions(trial) if not d.undone)
    assert marks.tags["odd"].tolist() == [3, 5, 7, 8, 9] and marks.checked.tolist() == [0, 1, 2, 3, 4]
    assert dict(marks.notes) == {7: "look"}
    assert told("undo", "trial", "rows")["decisions"][0]["kind"] == "note"


def test_what_cannot_be_meant_is_refused(trial, refused):
    assert "no filter 'colour'" in refused("rows", "trial", "--where", "colour=red")
    assert "nowhere" in refused("rows", "trial", "--where", "source=nowhere")
    assert "not understood" in refused("rows", "trial", "--where", "loss=much")
    assert "no scores" in refused("tag", "trial", "odd", "3,900")
    assert "no set of rows" in refused("checked", "trial", "three")
    assert "1 to 40" in refused("tag", "trial", " ", "3")
    assert read_decisions(trial) == []

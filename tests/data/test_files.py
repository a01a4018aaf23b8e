"""Files as a whole: containers told apart by content, broken ones refused in one line."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.data import check, ingest
from cadc.data.files import open_rows
from cadc.data.json_text import MAX_ROW
from cadc.data.streams import PIECE
from cadc.errors import DataError
from tests.data.conftest import llava

ROW = llava("Hi", "Hello", None)


@pytest.mark.parametrize("name", ["pool.json", "pool.jsonl", "pool.txt", "pool"])
@pytest.mark.parametrize("text, container", [
    (json.dumps([ROW, ROW]), "json"), (json.dumps([ROW, ROW], indent=2), "json"),
    (json.dumps(ROW) + "\n" + json.dumps(ROW), "jsonl"),
    (f"\n\n{json.dumps(ROW)}\r\n\r\n{json.dumps(ROW)}\r\n", "jsonl"),
    (f"\ufeff{json.dumps([ROW, ROW])}", "json"), (f"\ufeff{json.dumps(ROW)}\n\ufeff{json.dumps(ROW)}\n", "jsonl"),
    (f" [ {json.dumps(ROW)} ,\r\n\t{json.dumps(ROW)} ] \r\n", "json")])
def test_the_container_is_found_by_content(write, name, text, container):
    path = write(text, name)
    assert open_rows(path).container == container
    assert [s.index for s in ingest(path).samples] == [0, 1]


@pytest.mark.parametrize("text, message", [
    ("", "is empty"), (" \n ", "is empty"), ("[]", "holds no rows"), ("hello\nworld", "neither a JSON list"),
    (b"\x00\x01\x02\x03" * 100, "neither a JSON list"), (b"PAR1 but no parquet", "parquet file cannot be read"),
    (json.dumps({"data": [ROW]}, indent=1), "one JSON object"), ("7", "neither a JSON list"),
    (json.dumps([{"file": "a", "box": [1, 2]}]), "columns here: file, box"),
    (json.dumps([ROW, ROW])[:-40], "the file ends in the middle"),
    ("[" + json.dumps(ROW), "the file ends in the middle"),
    ('[\n{"id": 1},\n{"id": 2,, }\n]', "line 3, column 10"), (json.dumps([ROW]) + " extra", "more text after the end"),
    ('[{"id": 1} {"id": 2}]', "expected ',' or ']'"), ("[1, 2,]", "cannot be read at line 1, column 7"),
    (json.dumps([ROW]).encode("utf-32"), "UTF-32"), (json.dumps([ROW]).encode("utf-16-le"), "without a byte-order"),
    (b"PK\x03\x04 and so on", "zip archive"), (b"BZh91AY", "bunzip2"), (b"\xfd7zXZ\0", "packed with xz"),
    (b"\xfe\xff\0[\0", "damaged or cut off"), (b"{" + b"\x80" * 9, "not UTF-8: line 1"),
 (b'[{"id": "\xff\xfe"}]', "not UTF-8 near byte 10"),
    (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "neither a JSON list")])
def test_a_file_that_cannot_be_read_is_one_clear_line(write, text, message):
    path = write(text)
    with pytest.raises(DataError, match=message) as raised:
        ingest(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_no_file_a_folder_a_pipe_and_a_bad_root_are_one_clear_line(tmp_path, write):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "pipe", "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(DataError):
            check(path)
    with pytest.raises(DataError, match="image root"):
        check(write([ROW]), tmp_path / "nowhere")


def test_a_broken_line_is_set_aside_alone(write):
    good = json.dumps(ROW)
    lines = [good, '{"id": "cut', good, '{"a": NaN}', "", "[1, 2]", "null", b'{"a": "\xff"}', good,
             "{" * 5000 + "}" * 5000,
             '{"a":' * 5000, good + " {}", '{"a": "tab\there"}']
    path = write(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    found = ingest(path)
    assert [s.index for s in found.samples] == [0, 2, 7]  # the blank line is no row
    reasons = {r.index: r.kind for r in found.set_aside}
    assert reasons == {1: "line is not JSON", 3: "NaN or Infinity is not JSON", 4: "row is not an object",
                       5: "row is not an object", 6: "line is not UTF-8", 8: "line is not JSON", 9: "nested too deeply",
                       10: "line is not JSON", 11: "line is not JSON"}
    assert "line 2, column 8" in found.set_aside[0].reason


def test_a_deep_or_not_finite_element_of_a_list_is_set_aside_alone(write):
    deep = '{"x": "]}\\"", "a":' + "[" * 100_000 + "]" * 100_000 + "}"
    found = ingest(write(f'[{json.dumps(ROW)}, {deep}, {{"a": -Infinity}}, {json.dumps(ROW)}]'))
    assert [s.index for s in found.samples] == [0, 3]
    assert [r.kind for r in found.set_aside] == ["nested too deeply", "NaN or Infinity is not JSON"]


def test_huge_numbers_do_no_harm(write):
    row = json.dumps(ROW)[:-1] + f', "n": {"9" * 6000}, "x": 1e999}}'
    for text in (row, f"[{row}]"):
        found = ingest(write(text))
        assert found.samples[0].id == ROW["id"]


def test_a_row_of_absurd_length_is_set_aside(write):
    long, longer = ROW | {"x": "y" * 1_000_001}, ROW | {"x": "y" * (MAX_ROW + 10)}
    for rows, name in (([long, ROW], "pool.json"), ([long, longer, ROW], "pool.jsonl")):
        found = ingest(write(rows, name))
        assert [s.index for s in found.samples] == [len(rows) - 1]
        assert {r.kind for r in found.set_aside} == {"row longer than 1 MB"}


def test_a_list_larger_than_the_window_reads_as_json_does(write):
    rows = [ROW | {"id": f"ü{n}", "pad": "ä" * (n * 37 % 5000)} for n in range(700)]
    path = write(rows)
    assert path.stat().st_size > 2 * PIECE
    found = ingest(path)
    assert [json.loads(raw) for raw in found.raw] == rows


def test_position_of_an_error_far_into_a_list_is_right(write):
    text = json.dumps([ROW | {"pad": "x" * 3000}] * 800, indent=1)
    line = text.count("\n", 0, 2_000_000) + 1
    start = text.rfind("\n", 0, 2_000_000) + 1
    broken = text[:start] + "?" + text[start:]
    with pytest.raises(DataError, match=f"line {line}, column 1:"):
        ingest(write(broken))


def test_the_raw_text_of_a_row_is_kept_as_it_was_written(write):
    text = '[\n {"id":  1.50,\n\t"n": 2, "conversations": [{"from": "human", "value": "a  \\u00e4\\n b"},\r\n  ' \
           '{"from": "gpt", "value": "ü  x"}]}\n]'
    assert ingest(write(text)).raw == ['{"id":  1.50,"n": 2, "conversations": [{"from": "human", "value": '
                                       '"a  \\u00e4\\n b"},{"from": "gpt", "value": "ü  x"}]}']


def test_a_unit_column_that_is_nowhere_names_the_columns_that_are(write):
    with pytest.raises(DataError, match="'task'.*id, conversations, kind"):
        ingest(write([ROW | {"kind": 1}]), unit_column="task")
    assert len(ingest(write([ROW | {"task": 1}, ROW]), unit_column="task").set_aside) == 1


def test_check_reports_as_documented(write):
    report = check(write([ROW, 3, ROW | {"id": None}]))
    assert report == {"samples": 3, "accepted": 2,
                      "set_aside": [{"index": 1, "id": "", "reason": "row is not an object: it is a number"}],
                      "warnings": [], "format": "llava json",
                      "keys": {"column": {"read": {"conversations": 2, "id": 1}, "kept": {"id": 1}},
                               "turn": {"read": {"from": 2, "value": 2}}},
                      "near_duplicates": [{"index": 2, "id": "", "first": 0}], "passed_over": {}}
    report = check(write([ROW, ROW]))
    assert report["warnings"] == [{"index": 1, "id": "r", "reason": "duplicate id: first in row 0"}]


@settings(max_examples=60, deadline=None)
@given(lines=st.booleans(), at=st.integers(0, 400), cut=st.integers(0, 30),
       put=st.binary(max_size=4) | st.sampled_from([b"{", b"}", b"[", b"]", b'"', b",", b"\n", b"NaN", b"\\ud800"]))
def test_a_damaged_file_is_read_or_refused_but_never_fails_otherwise(tmp_path_factory, lines, at, cut, put):
    rows = [ROW | {"id": str(n)} for n in range(4)]
    data = "\n".join(map(json.dumps, rows)).encode() if lines else json.dumps(rows, indent=1).encode()
    path = tmp_path_factory.mktemp("damaged") / "pool"
    path.write_bytes(data[:at] + put + data[at + cut:])
    try:
        found = ingest(path)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        used = sorted([s.index for s in found.samples] + [r.index for r in found.set_aside])
        assert used == list(range(found.rows)) and len(found.raw) == len(found.samples)


@pytest.mark.parametrize("rows, said", [([], "holds no rows"), ([3], "the first row: row is not an object"),
                                        ([{"file": "a", "box": [1, 2]}], "columns here: file, box")])
def test_a_file_without_a_row_of_a_known_form_is_refused_with_its_columns(write, rows, said):
    for read in (check, ingest):
        with pytest.raises(DataError, match=f"(?i){said}"):
            read(write(json.dumps(rows)))


def test_check_reports_on_a_file_whose_rows_are_all_set_aside(write):
    report = check(write([{"question": "Why?", "answer": ""}]))
    assert (report["accepted"], report["set_aside"][0]["reason"]) == (0, "empty answer")

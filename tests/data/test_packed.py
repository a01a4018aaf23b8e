"""Packed and UTF-16 texts, objects around the rows, and pictures written into the text."""

import base64
import gzip
import io
import json
import re
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadc.data import check, ingest, open_images, streams
from cadc.data.embedded import lifted
from cadc.data.files import open_rows
from cadc.data.json_text import MAX_ROW
from cadc.errors import DataError
from tests.data.conftest import llava, picture
from tests.data.test_parquet import png, save

ROW = llava("Hi", "Hello", None)
LINES = "".join(json.dumps(ROW | {"id": str(n)}) + "\n" for n in range(30)).encode()
LIST = json.dumps([ROW | {"id": str(n)} for n in range(30)]).encode()


def gz(data: bytes) -> bytes:
    return gzip.compress(data)


def zst(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(data)
    return sink.getvalue().to_pybytes()


# ---- packed --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("data", [LINES, LIST, LIST.decode().encode("utf-16"), b"\xef\xbb\xbf" + LINES])
@pytest.mark.parametrize("pack", [gz, zst])
def test_packed_texts_are_read_whatever_their_name(write, pack, data):
    found = ingest(write(pack(data), "pool.json"))
    assert [s.id for s in found.samples] == [str(n) for n in range(30)] and not found.set_aside
    half = LINES.index(b"\n", 1500) + 1
    found = ingest(write(pack(LINES[:half]) + pack(LINES[half:]), "pool.json"))  # two archives joined
    assert len(found.samples) == 30


@pytest.mark.parametrize("pack", [gz, zst])
@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_a_cut_archive_says_how_far_it_was_read(write, pack, keep):
    rng = np.random.default_rng(0)
    lines = [json.dumps(ROW | {"pad": rng.bytes(9000).hex()}) for _ in range(400)]
    whole = pack("\n".join(lines).encode())
    path = write(whole[:int(len(whole) * keep)])
    with pytest.raises(DataError, match="archive is damaged or cut off after [1-9][0-9,]* bytes.*; [0-9,]+ rows"
                       ) as raised:
        ingest(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("data, message", [
    (gz(b""), "is empty"), (zst(b""), "is empty"), (gz(gz(LINES)), "packed twice"), (gz(zst(LINES)), "packed twice"),
    (gz(b"PAR1" + bytes(99)), "inside gzip; .*`gunzip -k pool.json`"), (gz(LINES)[:12], "cut off"),
    (b"\x1f\x8b", "cut off"), (b"\x28\xb5\x2f\xfd", "cut off"), (gz(b"x" * 257 + b"ustar" + bytes(99)), "tar archive")],
    ids=range(9))  # gzip writes the time
def test_an_archive_that_is_no_text_of_rows_is_one_clear_line(write, data, message):
    path = write(data)
    with pytest.raises(DataError, match=message) as raised:
        check(path)
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


def test_a_bomb_is_refused_and_a_well_packed_file_is_not(write, monkeypatch):
    monkeypatch.setattr(streams, "UNPACKED_FREE", 1 << 20)
    with pytest.raises(DataError, match="unpack to more than"):
        ingest(write(gz(json.dumps(ROW).encode() + b"\n" + b" " * (8 << 20))))
    path = write(gz(LINES * 40))
    assert len(ingest(path).samples) == 1200
    monkeypatch.setattr(streams, "UNPACKED_FREE", 0)
    monkeypatch.setattr(streams, "UNPACKED_RATIO", 2)
    with pytest.raises(DataError, match="gunzip"):
        ingest(path)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 400), put=st.binary(min_size=1, max_size=4), pack=st.sampled_from([gz, zst]))
def test_a_damaged_archive_is_refused_or_read_whole(tmp_path_factory, at, put, pack):
    data = pack(LINES)
    path = tmp_path_factory.mktemp("damaged") / "pool"
    path.write_bytes(data[:at] + put + data[at + len(put):])
    try:
        found = ingest(path)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert found.rows == len(found.samples) + len(found.set_aside)


# ---- UTF-16 --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding, mark", [("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")])
def test_utf_16_reads_as_utf_8_does(write, encoding, mark):
    row = ROW | {"id": "ü€😀"}
    for text in (json.dumps([row, row], ensure_ascii=False), f"{json.dumps(row, ensure_ascii=False)}\r\n" * 2):
        found = ingest(write(mark + text.encode(encoding)))
        assert [s.id for s in found.samples] == ["ü€😀"] * 2
        assert found.raw == ingest(write(text)).raw
    line = f"{json.dumps(row)}\n".encode(encoding)
    assert len(ingest(write(mark + line + mark + line)).samples) == 2  # two files joined


def test_damage_in_utf_16_costs_one_line_or_is_one_clear_line(write):
    line = f"{json.dumps(ROW)}\n".encode("utf-16-le")
    found = ingest(write(b"\xff\xfe" + line + b'"\0\x00\xd8"\0\n\0' + line))
    assert [r.kind for r in found.set_aside] == ["line is not UTF-8"] and len(found.samples) == 2
    with pytest.raises(DataError, match="UTF-16 text is damaged or cut off.*; 1 rows|UTF-16 text is damaged"):
        ingest(write(b"\xff\xfe" + line + b"\n"))
    with pytest.raises(DataError, match="is not UTF-16 near byte"):
        ingest(write(b"\xff\xfe" + b'[\0"\0\x00\xd8"\0]\0'))


# ---- an object around the rows -------------------------------------------------------------------------------------
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("value, message", [
    ({"data": [ROW, ROW]}, "under data, not rows. Take .*`jq -c '.data\\[\\]' pool.json"),
    ({"info": {"version": 1}, "n": 3, "annotations": [ROW]}, "under annotations beside info, n"),
    ({"q1": ROW, "q2": ROW}, "an object under each key \\(q1, q2\\).*to_entries"),
    ({"train": [ROW], "test": [ROW]}, "under train, test"),
    ({"it's": [ROW]}, "Take the list out")])
def test_an_object_around_the_rows_is_refused_with_the_way_out(write, value, message, indent):
    for packed in (json.dumps(value, indent=indent).encode(), gz(json.dumps(value, indent=indent).encode())):
        with pytest.raises(DataError, match=message) as raised:
            check(write(packed))
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("rows", [200, 20_000, 60_000])
def test_a_long_object_around_the_rows_is_refused_too(write, rows, indent):
    row = ROW | {"pad": "x" * 250}
    with pytest.raises(DataError, match="a list of objects under data"):
        check(write(json.dumps({"version": 1, "data": [row] * rows}, indent=indent)))
    with pytest.raises(DataError, match="an object under each key"):
        check(write(json.dumps({str(n): row for n in range(rows)}, indent=indent)))


def test_one_row_alone_is_a_row_and_spread_over_lines_is_refused(write):
    assert len(ingest(write(json.dumps(ROW))).samples) == 1
    with pytest.raises(DataError, match="over several lines, not rows"):
        ingest(write(json.dumps(ROW, indent=1)))
    with pytest.raises(DataError, match="several JSON objects over several lines.*jq -c"):
        ingest(write(json.dumps(ROW, indent=1) + "\n" + json.dumps(ROW, indent=1)))
    with pytest.raises(DataError, match="row longer than 1 MB"):
        ingest(write(json.dumps(ROW | {"pad": "x" * (MAX_ROW + 5)})))
    found = ingest(write(json.dumps({"data": "x" * (MAX_ROW + 5)}) + "\n" + json.dumps(ROW)))
    assert [s.index for s in found.samples] == [1] and len(found.set_aside) == 1


@pytest.mark.parametrize("text", ["[7", "[7, 8]x"])
def test_a_file_that_breaks_later_is_refused_by_check_too(write, text):
    with pytest.raises(DataError):
        check(write(text))


@pytest.mark.parametrize("text, message", [
    ("[]", "holds no rows"), ('{"a": NaN}\n{"a": NaN}', "none of its 2 rows can be read; the first: NaN"),
    (json.dumps([ROW | {"x": "y" * 1_000_001}]), "none of its 1 rows can be read; the first: row longer than 1 MB")])
def test_a_file_without_a_row_that_can_be_read_is_refused_by_check_too(write, text, message):
    with pytest.raises(DataError, match=message):
        check(write(text))


# ---- pictures in the text ------------------------------------------------------------------------------------------
def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def block(url):
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What?"}]
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "red"}]}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"])
def test_base64_and_data_addresses_are_pictures(write, root, tmp_path, form):
    text = b64(png(1, form))
    rows = [llava(image=text), block(f"data:image/{form.lower()};base64,{text}"), llava(image=[text]),
            llava(image=None, images=[{"url": f"DATA:image/x;charset=x;base64,{text}"}]), llava(image=text + "\n")]
    for name in ("pool.json", "pool.jsonl"):
        found = ingest(write(rows, name), root, embedded_to=tmp_path / "kept")
        assert not found.set_aside and len({s.images for s in found.samples}) == 1
        image = open_images(found.samples[0], root, tmp_path / "kept")[0]
        assert np.abs(np.asarray(image, float) - np.asarray(picture(1), float)).mean() < 12
        assert all(found.samples[0].images[0] in raw and text[:40] not in raw for raw in found.raw)
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_the_text_of_a_row_loses_its_pictures_and_nothing_else(write, root):
    text, escaped = b64(png(1)), b64(png(1)).replace("/", "\\/")
    row = '{"id":  1.50, "conversations": [{"from": "human", "value": "<image> \\u00e4 ü"}, {"from": "gpt", "value": ' \
          '"b"}], "image": "%s"}'
    for written in (text, escaped):
        found = ingest(write(row % written), root)
        assert found.raw == [row % found.samples[0].images[0]]


def test_large_pictures_do_not_count_as_text(write, root):
    rng = np.random.default_rng(0)
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (800, 800, 3), np.uint8)).save(buffer, "PNG")
    text = b64(buffer.getvalue())
    assert len(text) > 2_000_000
    for name in ("pool.json", "pool.jsonl"):
        found = ingest(write([llava(image=text), llava(image=text, pad="x" * 1_000_001), ROW], name), root)
        assert [s.index for s in found.samples] == [0, 2]
        assert [r.kind for r in found.set_aside] == ["row longer than 1 MB"]


@pytest.mark.parametrize("value, words", [
    ("data:image/png;base64,iVBO!!!", "data:.*base64"), ("data:image/png;base64,", "data:.*base64"),
    ("data:image/png,%89PNG", "data:.*not base64"), ("data:image/png;base64," + b64(b"no picture"), "not a picture"),
    (b64(png(1))[:-7] + "?" * 7, "picture"), (b64(png(1))[:201], "picture"), ("/9j/" + "A" * 400 + "A", "base64")])
def test_broken_base64_is_set_aside_with_that_reason(write, root, value, words):
    found = ingest(write([llava(image=value), ROW, block(value) if value.startswith("data:") else ROW]), root)
    assert len(found.set_aside) == (2 if value.startswith("data:") else 1)
    for reason in found.set_aside:
        assert re.search(words, reason.reason) and "image root" not in reason.reason


@pytest.mark.parametrize("value", ["Qkx", "Qk" * 40, "/9j/4AAQ.jpg", "data: 1, 2", "data:audio/wav;base64,AAAA",
                                   "R0lGOD", "Qk" + "A" * 400, "iVBORw0KGgo is how a PNG begins",
                                   "data:text/plain,hello"])
def test_what_only_looks_like_a_picture_stays_text(value):
    raw = json.dumps({"note": value})
    assert lifted({"note": value}, raw) == ({"note": value}, raw)


def test_words_are_never_pictures(write):
    text = "data:image/png;base64," + b64(png(1))
    found = ingest(write([llava(text, text, None)]))
    assert found.samples[0].question == text


def test_a_picture_as_an_option_is_set_aside_and_tools_stay_words(write, root):
    text = b64(png(1))
    rows = [{"question": "Which?", "options": [text, text], "answer": "A"},
            {"tools": [{"name": "look", "parameters": {"default": text}}]} | llava("Hi", "Hello", None)]
    found = ingest(write(rows), root)
    assert [r.reason for r in found.set_aside] == ["not supported: a picture as an option"]
    assert text in found.samples[0].turns[0].text


def test_base64_in_parquet_is_a_picture_too(root, tmp_path):
    text = b64(png(2))
    path = save(tmp_path / "p", image=[text, f"data:image/png;base64,{text}", "data:image/png;base64,?", "a.png"],
                question=["<image>What?"] * 4, answer=["red"] * 4)
    found = ingest(path, root, embedded_to=tmp_path / "kept")
    assert [s.index for s in found.samples] == [0, 1, 3] and found.samples[0].images == found.samples[1].images
    assert "base64" in found.set_aside[0].reason and found.samples[0].images[0] in found.raw[0]


def test_a_row_of_parquet_with_absurdly_long_text_is_set_aside_as_in_json(tmp_path):
    path = save(tmp_path / "p", question=["Hi", "x" * 1_000_001], answer=["a", "b"])
    assert [r.kind for r in ingest(path).set_aside] == ["row longer than 1 MB"]


def test_zlib_is_what_gzip_is_made_of_and_is_no_container(write):
    with pytest.raises(DataError, match="neither a JSON list"):
        open_rows(write(zlib.compress(LINES)))

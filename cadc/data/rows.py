"""One row of any accepted shape → turns and pictures, or the reason why not. Pure: no file is touched here.

Normal form (what every reader and writer of the project relies on): an optional system turn, then user and assistant
in alternation, ending with assistant; pictures in user turns only, each used once and in order; text pieces stripped,
never empty, never two in a row, and never containing a literal `<image>`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from cadc.data.rawrow import Embedded, RawRow
from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.sample import IMAGE_TAG, Role, Turn

Picture = str | Embedded

ROLES: dict[str, Role] = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
                          "model": "assistant", "system": "system"}
CONVERSATIONS = ("conversations", "messages", "conversation")
QUESTIONS, ANSWERS = ("question", "instruction", "prompt"), ("answer", "response", "output")
SOURCES = ("source", "dataset", "data_source")
IDS = ("id", "_id", "question_id", "sample_id", "uid")
MAX_PICTURES = 64
LONG_ANSWER = 8000
"""Characters of an answer above which a warning is given."""

_PLAIN_FOLDERS = {"images", "image", "imgs", "img", "pictures", "data", "train", "val", "valid", "test", ".", "..", "/"}
_SURROGATE = re.compile("[\ud800-\udfff]")
_PICTURE_COLUMN = re.compile(r"(?:image|picture|img)(?:s|_paths?|_?\d+)?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


@dataclass(frozen=True)
class _Shown:
    """A picture place that carries its own picture, told apart from text."""

    picture: Picture


Piece = str | _Shown | None
"""Words, a picture place with its picture, or one that is still without."""
Spoken = tuple[Role, list[Piece]]
"""One turn before it is in normal form."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A row that makes sense as words; its pictures are not looked at yet."""

    id: str
    shape: str
    """`llava`, `messages-tags`, `messages-blocks` or `question-answer`."""
    turns: tuple[Turn, ...]
    pictures: tuple[Picture, ...]
    source: str
    unit: str
    warnings: tuple[str, ...]


def row_id(value: object) -> str:
    """The row's id as text; '' when there is none that could be one."""
    if not isinstance(value, dict):
        return ""
    found = next((value[key] for key in IDS if value.get(key) not in (None, "")), "")
    return printable(found) if isinstance(found, str | int | float) else ""


def has_known_shape(value: dict[str, object]) -> bool:
    """Whether any column says that the row is a conversation or a question with its answer."""
    return any(key in value for key in CONVERSATIONS) or (
        any(key in value for key in QUESTIONS) and any(key in value for key in ANSWERS))


def read_row(row: RawRow, unit_column: str = "") -> Draft:
    """Turn one row into a draft. Raises SetAside with the reason, and nothing else, whatever the row holds."""
    if row.problem:
        raise SetAside(row.problem)
    value = row.value
    if not isinstance(value, dict):
        raise SetAside(f"row is not an object: it is {kind_of(value)}")
    for key in ("video", "videos", "audio", "audios"):
        if value.get(key):
            raise SetAside(f"not supported: {key}")
    given = _given_pictures(value, row.columns)
    shape, spoken, blocks = _spoken(value)
    turns, pictures, warnings = _place(spoken, given, blocks)
    _check_turns(turns)
    answer = max((len(t.text) for t in turns if t.role == "assistant"), default=0)
    if answer > LONG_ANSWER:
        warnings = (*warnings, f"very long answer: {answer} characters")
    if len(pictures) > MAX_PICTURES:
        raise SetAside(f"too many pictures: {len(pictures)}, at most {MAX_PICTURES}")
    return Draft(id=row_id(value), shape=shape, turns=turns, pictures=pictures, source=_source(value, pictures),
                 unit=_unit(value, unit_column) if unit_column else "", warnings=warnings)


# ---- pictures that the row names -----------------------------------------------------------------------------------
def _given_pictures(value: dict[str, object], columns: tuple[str, ...]) -> list[Picture]:
    """Pictures of the row's own columns, in order; blocks may name more."""
    found = {name: _pictures(value.get(name)) for name in columns or [k for k in value if _PICTURE_COLUMN.fullmatch(k)]}
    found = {name: pictures for name, pictures in found.items() if pictures}
    numbered = all(name[-1].isdigit() for name in found)
    if len(found) > 1 and not columns and not numbered:
        if any(pictures != next(iter(found.values())) for pictures in found.values()):
            raise SetAside(f"picture columns disagree: {printable(', '.join(found), 80)}")
        found = dict(list(found.items())[:1])
    return [picture for pictures in found.values() for picture in pictures]


def _pictures(cell: object) -> list[Picture]:
    """The pictures of one cell: none, one, or a list."""
    return [_picture(one) for one in (cell if isinstance(cell, list) else [cell]) if one not in (None, "", {})]


def _picture(value: object) -> Picture:
    """One picture reference: a path, a file: address, an object with one of them, or embedded bytes."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("path", "url", "image", "file_name", "image_url") if value.get(key)), None)
        if isinstance(value, dict):
            value = value.get("url")
    if isinstance(value, Embedded):
        return value
    if not isinstance(value, str):
        raise SetAside(f"picture is not a path: it is {kind_of(value)}")
    _check_text(value)
    scheme = _SCHEME.match(value)
    if scheme is None:
        return value
    if scheme.group(1).lower() == "file":
        return unquote(value[5:].removeprefix("//").removeprefix("localhost"))
    if value.lower().startswith("data:"):
        raise SetAside("picture is written into the text: data: address")
    if "://" in value:
        raise SetAside(f"remote picture: {printable(value)}")
    return value


# ---- what is said --------------------------------------------------------------------------------------------------
def _spoken(value: dict[str, object]) -> tuple[str, list[Spoken], bool]:
    """(shape, turns as lists of text and pictures, whether pictures are blocks); None is a block without a path."""
    key = next((name for name in CONVERSATIONS if value.get(name) is not None), None)
    if key is None:
        return "question-answer", _question_answer(value), False
    said = _said(value[key])
    if not isinstance(said, list):
        raise SetAside(f"{key} is not a list: it is {kind_of(said)}")
    spoken, blocks, llava = [], False, False
    for number, turn in enumerate(said, 1):
        if not isinstance(turn, dict):
            raise SetAside(f"turn is not an object: turn {number} is {kind_of(turn)}")
        llava |= "from" in turn
        name = turn.get("from", turn.get("role"))
        role = ROLES.get(name.lower()) if isinstance(name, str) else None
        if role is None:
            raise SetAside(f"unknown role: {printable(name, 40)} in turn {number}")
        content = turn.get("value", turn.get("content"))
        if isinstance(content, list):
            pieces = [_block(block, number) for block in content]
            blocks |= any(not isinstance(piece, str) for piece in pieces)
            spoken.append((role, pieces))
        elif isinstance(content, str):
            spoken.append((role, [content]))
        else:
            raise SetAside(f"text is not a text: turn {number} is {kind_of(content)}")
    return "llava" if llava else "messages-blocks" if blocks else "messages-tags", spoken, blocks


def _said(value: object) -> object:
    """A conversation column as a list: it may hold JSON text, or one list per key (both common in parquet)."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) == 1:
            return [dict(zip(value, turn, strict=True)) for turn in zip(*value.values(), strict=True)]
    return value


def _block(block: object, number: int) -> Piece:
    """One content block: text, a picture with its path (`_Shown`) or without one (None)."""
    if isinstance(block, str):
        return block
    if not isinstance(block, dict):
        raise SetAside(f"block is not an object: in turn {number} it is {kind_of(block)}")
    kind = block.get("type")
    named = next((block[key] for key in ("image", "path", "url", "image_url") if block.get(key)), None)
    if kind in ("image", "image_url", "input_image") or (kind is None and named is not None):
        return None if named is None else _Shown(_picture(named))
    text = block.get("text")
    if kind in ("text", "input_text", "output_text", None) and isinstance(text, str):
        return text
    if kind in ("text", "input_text", "output_text", None):
        raise SetAside(f"text is not a text: a block of turn {number} is {kind_of(text)}")
    raise SetAside(f"not supported: block of type {printable(kind, 40)}")


def _question_answer(value: dict[str, object]) -> list[Spoken]:
    """A row with a question and an answer column as two turns."""
    def first(names: tuple[str, ...]) -> object:
        return next((value[name] for name in names if value.get(name) is not None), None)

    question, answer = first(QUESTIONS), first(ANSWERS)
    if answer is None or (question is None and not any(name in value for name in QUESTIONS)):
        raise SetAside("no conversation: expected conversations, messages, or a question and an answer")
    texts = []
    for name, one in (("question", question if question is not None else ""), ("answer", answer)):
        if not isinstance(one, str | int | float | bool):
            raise SetAside(f"text is not a text: {name} is {kind_of(one)}")
        texts.append(one if isinstance(one, str) else printable(one))
    more = value.get("input")
    if "instruction" in value and isinstance(more, str) and more.strip():
        texts[0] = f"{texts[0]}\n{more}"
    return [("user", [texts[0]]), ("assistant", [texts[1]])]


# ---- words and pictures together -----------------------------------------------------------------------------------
def _place(spoken: list[Spoken], given: list[Picture], blocks: bool
           ) -> tuple[tuple[Turn, ...], tuple[Picture, ...], tuple[str, ...]]:
    """Put every picture in its place and bring the pieces into normal form."""
    if blocks and any(isinstance(p, str) and IMAGE_TAG in p for _, pieces in spoken for p in pieces):
        raise SetAside(f"the text itself contains {IMAGE_TAG}: beside picture blocks")
    split = [(role, _split(pieces)) for role, pieces in spoken]
    places = [(role, piece) for role, pieces in split for piece in pieces if not isinstance(piece, str)]
    if any(role != "user" for role, _ in places):
        raise SetAside("picture outside a user turn: only users show pictures")
    warnings: tuple[str, ...] = ()
    if not places and given:
        split, warnings = _put_first(split, len(given)), (f"picture without a tag: {len(given)} put first",)
        places = [("user", None)] * len(given)
    pictures = _match([piece for _, piece in places], given)
    numbers = iter(range(len(pictures)))
    turns = tuple(Turn(role=role, parts=_normal([p if isinstance(p, str) else next(numbers) for p in pieces]))
                  for role, pieces in split)
    if turns and turns[0].role == "system" and not turns[0].parts:
        turns = turns[1:]
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, str):
                _check_text(part)
    return turns, pictures, warnings


def _split(pieces: list[Piece]) -> list[Piece]:
    """Cut texts at picture tags; a tag becomes None."""
    cut: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str):
            for number, text in enumerate(piece.split(IMAGE_TAG)):
                cut.extend([None, text] if number else [text])
        else:
            cut.append(piece)
    return cut


def _put_first(split: list[Spoken], number: int) -> list[Spoken]:
    """Show the pictures at the start of the first user turn, as LLaVA's own trainer does."""
    first = next((i for i, (role, _) in enumerate(split) if role == "user"), None)
    if first is None:
        raise SetAside("does not start with a user turn")
    shown = [None] * number
    return [(role, shown + pieces if i == first else pieces) for i, (role, pieces) in enumerate(split)]


def _match(places: list[Piece], given: list[Picture]) -> tuple[Picture, ...]:
    """One picture for every place: its own, else the next of the row's column."""
    own = [place.picture for place in places if isinstance(place, _Shown)]
    if len(own) == len(places) and (not given or given == own):
        return tuple(own)
    if len(places) - len(own) != len(given):
        raise SetAside(f"picture tags and pictures do not match: {len(places)} tags, {len(given) + len(own)} pictures")
    rest = iter(given)
    return tuple(place.picture if isinstance(place, _Shown) else next(rest) for place in places)


def _normal(parts: list[str | int]) -> tuple[str | int, ...]:
    """Strip text pieces, drop empty ones, join neighbours."""
    normal: list[str | int] = []
    for part in parts:
        if isinstance(part, int):
            normal.append(part)
        elif text := part.strip():
            if normal and isinstance(normal[-1], str):
                normal[-1] = f"{normal[-1]}\n{text}"
            else:
                normal.append(text)
    return tuple(normal)


def _check_text(text: str) -> None:
    """Refuse what no tokenizer or file system takes."""
    if "\0" in text:
        raise SetAside("NUL character in the text")
    if not text.isascii() and _SURROGATE.search(text):
        raise SetAside("unpaired surrogate in the text")


def _check_turns(turns: tuple[Turn, ...]) -> None:
    """Refuse what cannot be trained on (see the normal form above)."""
    if not turns:
        raise SetAside("no turns")
    dialogue = turns[1:] if turns[0].role == "system" else turns
    if not dialogue or dialogue[0].role != "user":
        raise SetAside("does not start with a user turn")
    for number, turn in enumerate(dialogue):
        if turn.role != ("user", "assistant")[number % 2]:
            raise SetAside("turns do not alternate: user and assistant in turn")
    if len(dialogue) == 1:
        raise SetAside("no assistant answer")
    if dialogue[-1].role != "assistant":
        raise SetAside("ends with a user turn")
    if any(turn.role == "assistant" and not turn.parts for turn in dialogue):
        raise SetAside("empty answer")
    if any(not turn.parts for turn in dialogue):
        raise SetAside("empty question and no picture")


def _source(value: dict[str, object], pictures: tuple[Picture, ...]) -> str:
    """The row's source column, else the first telling folder of its first picture."""
    named = next((text for key in SOURCES if isinstance(text := value.get(key), str) and text.strip()), "")
    if named or not pictures or isinstance(pictures[0], Embedded):
        return printable(named.strip())
    folders = PurePosixPath(pictures[0]).parts[:-1]
    absolute = pictures[0].startswith("/")
    return "" if absolute else printable(next((f for f in folders if f.lower() not in _PLAIN_FOLDERS), ""))


def _unit(value: dict[str, object], column: str) -> str:
    """The target unit of a row."""
    named = value.get(column)
    if named is None or (isinstance(named, str) and not named.strip()):
        raise SetAside(f"unit column is empty: {printable(column, 60)}")
    if not isinstance(named, str | int | float):
        raise SetAside(f"unit is not a text: {printable(column, 60)} is {kind_of(named)}")
    _check_text(str(named))
    return printable(named).strip()

"""A row → turns in normal form, pictures, and what became of its keys."""

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from cadc.data.embedded import named
from cadc.data.rawrow import Embedded, RawRow, plain
from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.rows import pictures as showing
from cadc.data.rows import questions, tools
from cadc.data.rows.keys import Account, Key
from cadc.data.rows.pictures import Picture, Piece
from cadc.data.rows.text import SURROGATE, clean, marks_of, refuse_media, without_surrogates
from cadc.data.rows.turns import (
    COMPLETION,
    CONVERSATIONS,
    PROMPT,
    TEXTS,
    Conversation,
    Spoken,
    as_list,
    conversation,
    is_exchanges,
)
from cadc.data.rows.unread import warn_of_pictures_in_words, warn_of_unread
from cadc.data.sample import IMAGE_TAG, Role, Turn

SOURCES = ("source", "dataset", "data_source")
IDS = ("id", "_id", "question_id", "sample_id", "uid")
SYSTEMS = ("system", "system_prompt", "system_message")
TOOLS = ("tools", "functions")
MAX_PICTURES = 64
LONG = 8000
"""Characters of an answer, or of a whole row, above which a warning is given: about 2 000 tokens."""

_PLAIN_FOLDERS = {"images", "image", "imgs", "img", "pictures", "data", "train", "val", "valid", "test", ".", "..", "/"}
_SEEN = re.compile("[^\\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")
"""A character that is more than white space or a sign without width."""
_MEDIA_COLUMN = re.compile("(?:videos?|audios?)(?:_?(?:paths?|files?|urls?))?")
Pieces = list[Piece]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How rows are read: choices of a study."""

    unit_column: str = ""
    """Column that names the target unit of a row; '' for none."""
    neutralise: bool = False
    """Break up chat-control tokens in texts (they are warned of in any case)."""
    stripped: bool = False
    """Take white space off the ends of text pieces, and put a line break between neighbours: reading 1 of a study."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A row that makes sense as words; its pictures are not looked at yet."""

    id: str
    shape: str
    """As `Conversation.shape`."""
    turns: tuple[Turn, ...]
    pictures: tuple[Picture, ...]
    source: str
    unit: str
    warnings: tuple[str, ...]
    kept: str = ""
    """As `Sample.kept`."""
    keys: tuple[Key, ...] = ()
    """What became of each of its keys."""


def row_id(value: object) -> str:
    """The row's id as text; '' when there is none that could be one."""
    if not isinstance(value, dict):
        return ""
    found = next((value[key] for key in IDS if value.get(key) not in (None, "")), "")
    return printable(found) if isinstance(found, str | int | float) else ""


def has_known_shape(value: dict[str, object]) -> bool:
    """Whether any column says that the row is a conversation or a question with its answer."""
    return any(key in value for key in CONVERSATIONS) or is_exchanges(as_list(value.get(TEXTS))) or (
        PROMPT in value and COMPLETION in value) or (
        any(key in value for key in questions.QUESTIONS) and any(key in value for key in questions.ANSWERS))


def read_row(row: RawRow, reading: Reading | None = None) -> Draft:
    """Turn one row into a draft. Raises SetAside with the reason, and nothing else, whatever the row holds."""
    reading = reading or Reading()
    if row.problem:
        raise SetAside(row.problem)
    value = row.value
    if not isinstance(value, dict):
        raise SetAside(f"row is not an object: it is {kind_of(value)}")
    for key in value:
        if key[:5].lower() in ("video", "audio") and _MEDIA_COLUMN.fullmatch(key.lower()) and value[key]:
            raise SetAside(f"not supported: {printable(key, 60)}")
    try:
        return _read(Account(value), row, reading)
    except RecursionError:
        raise SetAside("nested too deeply") from None


def _read(account: Account, row: RawRow, reading: Reading) -> Draft:
    given = showing.given_pictures(account, row.columns)
    said = conversation(account) or questions.question_answer(account)
    spoken = _with_system(account, said.turns)
    turns, pictures = _place(account, Conversation(said.shape, spoken, said.blocks), given, reading)
    turns = _marked(account, turns, reading)
    if turns and turns[-1].role == "user" and account.row.get("chosen"):
        raise SetAside("no assistant answer: chosen and rejected are preferences, which are not read")
    _check_turns(turns)
    _note_length(account, turns)
    if len(pictures) > MAX_PICTURES:
        raise SetAside(f"too many pictures: {len(pictures)}, at most {MAX_PICTURES}")
    showing.warn_of_unread(account, pictures)
    if not pictures:
        warn_of_pictures_in_words(account, turns)
    warn_of_unread(account, turns)
    identity, source = row_id(account.row), _source(account.row, pictures)
    unit = _unit(account.row, reading.unit_column) if reading.unit_column else ""
    kept = _kept(account)  # ids, sources and units are read *and* come out again
    for name in (*(one for one in IDS if account.row.get(one) not in (None, "")), *SOURCES, reading.unit_column):
        if name in account.row:
            account.get(name)
    return Draft(id=identity, shape=said.shape, turns=turns, pictures=pictures, source=source, unit=unit, kept=kept,
                 warnings=tuple(account.notes), keys=tuple(account.keys()))


def _note_length(account: Account, turns: tuple[Turn, ...]) -> None:
    """Warn of rows that may be too long for a model, before any model is known."""
    lengths = [(sum(len(part) for part in turn.parts if isinstance(part, str)), turn.role) for turn in turns]
    longest = max((length for length, role in lengths if role == "assistant"), default=0)
    whole = sum(length for length, _ in lengths)
    if longest > LONG:
        account.note(f"very long answer: {longest} characters, about {longest // 4} tokens")
    elif whole > LONG:
        account.note(f"very long row: {whole} characters, about {whole // 4} tokens")


# ---- words and pictures together -----------------------------------------------------------------------------------
def _with_system(account: Account, spoken: list[Spoken]) -> list[Spoken]:
    """The turns with a system turn made of the `system` and `tools` columns, where the row has them."""
    name, system = account.first(SYSTEMS)
    if name and not isinstance(system, str):
        raise SetAside(f"text is not a text: {name} is {kind_of(system)}")
    own = bool(spoken) and spoken[0].role == "system"
    if own and isinstance(system, str) and [system] != spoken[0].pieces:
        account.note(f"{name} column beside a system turn: both are read, the column first")
    texts: Pieces = [system] if isinstance(system, str) and (not own or [system] != spoken[0].pieces) else []
    if own and (texts or spoken[0].pieces):
        texts = [*texts, "\n\n", *spoken[0].pieces] if texts else list(spoken[0].pieces)
    tool = tools.tools_text(account.first(TOOLS)[1])
    if tool:
        account.note("tools: written into the system turn as <tools>")
        texts = [*texts, "\n\n", tool] if any(texts) else [tool]
    if not texts:
        return spoken
    return [Spoken("system", texts), *(spoken[1:] if own else spoken)]


def _place(account: Account, said: Conversation, given: list[Picture],
           reading: Reading) -> tuple[tuple[Turn, ...], tuple[Picture, ...]]:
    """Put every picture in its place and bring the pieces into normal form."""
    split = [(turn.role, _cut(account, turn, blocks=said.blocks)) for turn in said.turns]
    if given and not said.blocks and not any(not isinstance(p, str) for _, pieces in split for p in pieces):
        split = _foreign(split, len(given))
    places = [(role, piece) for role, pieces in split for piece in pieces if not isinstance(piece, str)]
    if any(role != "user" for role, _ in places):
        raise SetAside("picture outside a user turn: only users show pictures")
    if not places and given:
        account.note(f"picture without a tag: {len(given)} put first")
        split = _put_first(split, len(given))
        places = [("user", None)] * len(given)
    pictures = showing.match([piece for _, piece in places], given)
    numbers = iter(range(len(pictures)))
    joined = _stripped if reading.stripped else _joined
    turns = [Turn(role=turn.role, learnt=turn.learnt, parts=joined(
        [clean(p, account) if isinstance(p, str) else next(numbers) for p in pieces]))
        for turn, (_, pieces) in zip(said.turns, split, strict=True)]
    if turns and turns[0].role == "system" and not turns[0].text:
        account.note("empty system turn taken out")
        turns = turns[1:]
    return tuple(turns), pictures


def _cut(account: Account, turn: Spoken, *, blocks: bool) -> Pieces:
    """A turn's pieces with its picture places cut out of the text: users show pictures, in the words of others a tag is
    text, which no trainer with tags would take for that."""
    cut: Pieces = []
    for piece in turn.pieces:
        if not isinstance(piece, str):
            cut.append(piece)
            continue
        if turn.role != "user":
            refuse_media(piece, f"in the text of the {turn.role}")
        elif blocks:
            refuse_media(piece, "beside picture blocks")
        else:
            for number, text in enumerate(piece.split(IMAGE_TAG)):
                refuse_media(text, "in the text of the user")
                cut += [*([None] if number else []), *showing.named_in_text(text)]
            continue
        cut.append(piece)
    return cut


def _foreign(split: list[tuple[Role, Pieces]], given: int) -> list[tuple[Role, Pieces]]:
    """The same, cut at other trainers' words for a picture where these are the places of the row's pictures."""
    texts = [p for role, pieces in split if role == "user" for p in pieces if isinstance(p, str)]
    if not showing.foreign_places(texts, given):
        return split
    places = showing.ForeignPlaces()
    return [(role, [q for p in pieces for q in (places.cut(p) if isinstance(p, str) else [p])]
             if role == "user" else pieces) for role, pieces in split]


def _put_first(split: list[tuple[Role, Pieces]], number: int) -> list[tuple[Role, Pieces]]:
    """Show the pictures at the start of the first user turn, as LLaVA's own trainer does."""
    first = next((i for i, (role, _) in enumerate(split) if role == "user"), None)
    if first is None:
        raise SetAside("does not start with a user turn")
    shown: Pieces = [None] * number
    return [(role, shown + pieces if i == first else pieces) for i, (role, pieces) in enumerate(split)]


def _joined(parts: list[str | int]) -> tuple[str | int, ...]:
    """Texts as they stand, neighbours joined without anything between them (as chat templates do), empty ones gone."""
    joined: list[str | int] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(before := joined[-1], str):
            joined[-1] = before + part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _stripped(parts: list[str | int]) -> tuple[str | int, ...]:
    """As earlier versions had it: pieces stripped, neighbours on lines of their own."""
    joined: list[str | int] = []
    for part in parts:
        if isinstance(part, int):
            joined.append(part)
        elif text := part.strip():
            before = joined[-1] if joined else None
            if isinstance(before, str):
                joined[-1] = f"{before}\n{text}"
            else:
                joined.append(text)
    return tuple(joined)


def _marked(account: Account, turns: tuple[Turn, ...], reading: Reading) -> tuple[Turn, ...]:
    """The turns after a look at chat-control tokens and unknown picture marks."""
    return tuple(Turn(role=turn.role, learnt=turn.learnt, parts=tuple(
        marks_of(part, f"turn {number}", account, neutralise=reading.neutralise) if isinstance(part, str) else part
        for part in turn.parts)) for number, turn in enumerate(turns, 1))


def _check_turns(turns: tuple[Turn, ...]) -> None:
    """Refuse what cannot be trained on (see the normal form of this package)."""
    if not turns:
        raise SetAside("no turns")
    dialogue = turns[1:] if turns[0].role == "system" else turns
    if any(turn.role == "system" for turn in dialogue):
        raise SetAside("turns do not alternate: a system turn that is not the first")
    if not dialogue or dialogue[0].role != "user":
        raise SetAside("does not start with a user turn")
    for number, turn in enumerate(dialogue):
        if turn.role != ("user", "assistant")[number % 2]:
            raise SetAside(f"turns do not alternate: two turns of the {turn.role} in a row")
    if len(dialogue) == 1:
        raise SetAside("no assistant answer")
    if dialogue[-1].role != "assistant":
        raise SetAside("ends with a user turn")
    for turn in dialogue:
        if not any(isinstance(part, int) or _SEEN.search(part) for part in turn.parts):
            raise SetAside("empty answer" if turn.role == "assistant" else "empty question and no picture")
    if not any(turn.learnt for turn in dialogue if turn.role == "assistant"):
        raise SetAside("no answer to learn from: all are marked as not learnt")


# ---- what stands beside the words ----------------------------------------------------------------------------------
def _kept(account: Account) -> str:
    """Columns that nothing read, as one JSON object; the id is written by exports of itself."""
    by_id = row_id({"id": account.row.get("id")})
    left = {name: account.row[name] for name in account.left if not (name == "id" and by_id)}
    for name, value in list(left.items()):
        if isinstance(value, bytes):
            what = "a picture, and its name does not say so: call it image" if named(value).name[-4:-3] == "." else (
                "bytes that are no picture")
            account.note(f"column cannot be kept: {printable(name, 60)} holds {what}")
            del left[name]
    if not left:
        return ""
    text = json.dumps(plain(left), ensure_ascii=False, allow_nan=False)
    return without_surrogates(text, account)


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
    if SURROGATE.search(str(named)):
        raise SetAside("unpaired surrogate in the text")
    return printable(named).strip()

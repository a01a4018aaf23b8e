"""Pictures that a row names: in columns, in content blocks, in the text; and their places between the words."""

import ast
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from cadc.data.embedded import lift
from cadc.data.rawrow import Embedded
from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.rows.keys import Account
from cadc.data.rows.text import check_path
from cadc.data.sample import IMAGE_TAG

Picture = str | Embedded

_MAIN = re.compile(r"(?:image|picture|img)(?:s|_?paths?|_?\d+)?")
"""Columns of pictures; the row's other columns are looked at only when these name none."""
_OTHER = re.compile(r"(?:images?|pictures?|imgs?|photos?)_?(?:files?|names?|filenames?|file_names?|urls?)(?:_?\d+)?"
                    r"|file_?names?|photos?|image_?path_?\d+")
_PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|ppm|heic|svg)$", re.IGNORECASE)
_INSIDE = ("path", "url", "image", "file_name", "image_url", "bytes", "source", "data")
"""Keys under which an object names its picture."""
_NUMBERED_KEY = re.compile(r"<?image_?\d{1,4}>?")
"""Keys of MiniCPM-V's pictures: {"<image_00>": path, …}."""
_NUMBER = re.compile(r"\d+$")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_IN_TEXT = re.compile(r"<img>\s*(.*?)\s*</img>", re.DOTALL)
"""Qwen-VL's way to name a picture."""
_FOREIGN = re.compile(
    r"<\|image(?:_(\d+))?\|>|<image[_ ]?(\d+)>|<(?:Image|IMAGE|image_?here|image_?placeholder|image/|img_placeholder"
    r"|start_of_image)>|<ImageHere>|<\|vision_start\|><\|image_pad\|><\|vision_end\|>|\[IMG\]|<\|image_pad\|>|<image_soft_token>"
    r"|<IMG_CONTEXT>")
"""Other trainers' words for a picture's place."""


@dataclass(frozen=True)
class Shown:
    """A picture place that carries its own picture, told apart from text."""

    picture: Picture


@dataclass(frozen=True)
class Numbered:
    """A picture place that says which of the row's pictures belongs there."""

    number: int


Piece = str | Shown | Numbered | None
"""Words, a picture place with its picture or its number, or one that is still without."""


# ---- columns -------------------------------------------------------------------------------------------------------
def given_pictures(account: Account, columns: tuple[str, ...]) -> list[Picture]:
    """Pictures of the row's own columns, in order; blocks and texts may name more. `columns`: those that hold pictures
    by their type (parquet). Raises SetAside where columns name different pictures."""
    row = account.row
    for names in (columns, [name for name in row if _MAIN.fullmatch(name.lower())],
                  [name for name in row if _OTHER.fullmatch(name.lower())]):
        found = {name: _pictures(row.get(name)) for name in sorted(names, key=_place)
                 if not _no_picture(name, row.get(name))}
        for name, pictures in found.items():
            if not pictures:
                account.get(name)  # an empty column says: no picture
        found = {name: pictures for name, pictures in found.items() if pictures}
        if found:
            return _together(account, found, fixed=bool(columns))
    return []


def _place(name: str) -> tuple[int, str]:
    """Numbered columns stand in the order of their numbers, others before them as they come."""
    number = _NUMBER.search(name)
    return (int(number.group()) + 1, "") if number else (0, "")


def _no_picture(name: str, value: object) -> bool:
    """Whether a column of a general name (`file_name`) holds something else than a picture's path."""
    return not _MAIN.fullmatch(name.lower()) and isinstance(value, str) and "image" not in name.lower() and (
        _PICTURE_FILE.search(value) is None)


def _together(account: Account, found: dict[str, list[Picture]], *, fixed: bool) -> list[Picture]:
    """The pictures of several columns: numbered ones one after the other, others must say the same."""
    numbered = all(_NUMBER.search(name) for name in found)
    first = next(iter(found))
    if len(found) > 1 and not fixed and not numbered:
        if any(pictures != found[first] for pictures in found.values()):
            if _MAIN.fullmatch(first.lower()):
                raise SetAside(f"picture columns disagree: {printable(', '.join(found), 80)}")
            account.note(f"pictures read from {first}: {printable(', '.join(list(found)[1:]), 80)} says otherwise")
        else:
            for name in found:
                account.get(name)
        found = {first: found[first]}
    if len(found) > 1 and fixed and not numbered:
        account.note(f"pictures read from several columns: {printable(', '.join(found), 80)}, one after the other")
    for name in found:
        account.get(name)
    return [picture for pictures in found.values() for picture in pictures]


def warn_of_unread(account: Account, shown: tuple[Picture, ...]) -> None:
    """Name a column that holds a picture's path and is not read: in a row that is taken as text only, and beside others
    where it is another file."""
    known: set[str] = set()
    for name in account.left:
        value = account.row[name]
        one = value[0] if isinstance(value, list) and value else value
        one = one.get("path") or one.get("url") if isinstance(one, dict) else one
        if isinstance(one, str) and len(one) < 1024 and _PICTURE_FILE.search(one):
            if not shown:
                account.note(f"taken as text only: column {printable(name, 60)} may name a picture and is not read as "
                             "one")
                continue
            known = known or {one.rpartition("/")[2] for one in shown if isinstance(one, str)}
            if known and "://" not in one and one.rpartition("/")[2] not in known:
                account.note(f"column may name another picture: {printable(name, 60)} is not read as one")


def _pictures(cell: object) -> list[Picture]:
    """The pictures of one cell: none, one, or a list."""
    if isinstance(cell, str) and cell[:1] == "[" and cell[-1:] == "]":
        cell = _as_list(cell)
    if isinstance(cell, list):
        return [picture for one in cell for picture in _pictures(one)]
    if isinstance(cell, dict) and cell and all(_NUMBERED_KEY.fullmatch(key) for key in cell):
        return [picture_of(cell[key]) for key in sorted(cell, key=lambda key: int(re.sub(r"\D", "", key)))]
    return [] if cell in (None, "", {}) else [picture_of(cell)]


def _as_list(text: str) -> object:
    """JSON or Python text of a list of names, or of pictures as base64, as that list. Raises SetAside."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list) and all(isinstance(one, str | dict) for one in found):
            return lift({"image": found})["image"]
    return text


def picture_of(value: object) -> Picture:
    """One picture reference: a path, a file: address, an object with one of them, or embedded bytes. Raises SetAside
    for anything else, remote pictures included."""
    if isinstance(value, dict):
        inner = next((value[key] for key in _INSIDE if value.get(key)), None)
        if inner is None:
            raise SetAside(f"picture is not a path: an object with {printable(', '.join(map(str, value)), 80)}")
        value = picture_of(inner) if isinstance(inner, dict) else inner
    if isinstance(value, Embedded):
        return value
    if not isinstance(value, str):
        raise SetAside(f"picture is not a path: it is {kind_of(value)}")
    check_path(value)
    scheme = _SCHEME.match(value)
    if scheme is None:
        return value
    if scheme.group(1).lower() == "file":
        return unquote(value[5:].removeprefix("//").removeprefix("localhost"))
    if value.lower().startswith("data:"):
        raise SetAside("picture is written into the text and cannot be read: data: address, expected base64")
    if "://" in value:
        raise SetAside(f"remote picture: {printable(value)}; nothing is fetched")
    return value


# ---- places between the words --------------------------------------------------------------------------------------
def named_in_text(text: str) -> list[Piece]:
    """A user's text cut at `<img>path</img>`."""
    if "<img>" not in text:
        return [text]
    cut: list[Piece] = []
    for number, part in enumerate(_IN_TEXT.split(text)):
        cut.append(part if not number % 2 else Shown(picture_of(part)) if part else None)
    return cut


def in_turn(account: Account, turn: dict[str, object], pieces: list[Piece], read: set[str],
            number: int) -> list[Piece]:
    """A user's pieces with the pictures that the turn itself names in a key as `image`. Raises SetAside."""
    names = [name for name in turn if name not in read and _MAIN.fullmatch(name.lower())]
    shown: list[Piece] = [Shown(picture) for name in names for picture in _pictures(turn[name])]
    read.update(names)
    if not shown:
        return pieces
    cut: list[Piece] = []
    for piece in pieces:
        for count, part in enumerate(piece.split(IMAGE_TAG) if isinstance(piece, str) else [piece]):
            cut += [*([None] if count else []), part]
    places = sum(piece is None for piece in cut)
    if not places:
        account.note(f"picture without a tag: {len(shown)} put first in turn {number}")
        return shown + cut
    if places != len(shown):
        raise SetAside(f"picture tags and pictures do not match: {places} tags, {len(shown)} pictures in turn {number}")
    following = iter(shown)
    return [next(following) if piece is None else piece for piece in cut]


def foreign_places(texts: Iterable[str], given: int) -> bool:
    """Whether other trainers' words for a picture mark the places of the row's pictures, as many as there are. Raises
    SetAside when there are such words, and pictures, but not as many."""
    found = [hit for text in texts for hit in _FOREIGN.finditer(text)]
    if not found or not given:
        return False
    numbers = {_numbered(hit) for hit in found}
    distinct = len(numbers) if None not in numbers else len(found)
    if distinct != given:
        raise SetAside(f"picture tags and pictures do not match: {distinct} tags like {found[0].group()}, {given} "
                       "pictures")
    return True


def _numbered(hit: re.Match[str]) -> int | None:
    number = hit.group(1) or hit.group(2)
    return int(number) if number else None


class ForeignPlaces:
    """Cuts texts at other trainers' words for a picture; a number that comes again stays in the text."""

    def __init__(self) -> None:
        self._met: set[int] = set()

    def cut(self, text: str) -> list[Piece]:
        """A text as pieces."""
        pieces: list[Piece] = []
        at = 0
        for hit in _FOREIGN.finditer(text):
            number = _numbered(hit)
            if number is not None and number in self._met:
                continue
            if number is not None:
                self._met.add(number)
            pieces += [text[at:hit.start()], None if number is None else Numbered(number)]
            at = hit.end()
        return [*pieces, text[at:]]


def match(places: list[Piece], given: list[Picture]) -> tuple[Picture, ...]:
    """One picture for every place: its own, its number's, else the next of the row's columns. Raises SetAside."""
    if len(places) == len(given) and not any(places):
        return tuple(given)
    own = [place.picture for place in places if isinstance(place, Shown)]
    if len(own) == len(places) and (not given or given == own):
        return tuple(own)
    if len(places) - len(own) != len(given):
        raise SetAside(f"picture tags and pictures do not match: {len(places)} tags, {len(given) + len(own)} pictures")
    if len({isinstance(place, Numbered) for place in places if not isinstance(place, Shown)}) > 1:
        raise SetAside("picture tags and pictures do not match: some tags have numbers and others have none")
    numbers = sorted(place.number for place in places if isinstance(place, Numbered))
    ranks = {number: rank for rank, number in enumerate(numbers)}
    if len(ranks) != len(numbers):
        raise SetAside("picture tags and pictures do not match: a number stands twice, and one picture has no place")
    rest = iter(given)
    return tuple(place.picture if isinstance(place, Shown) else given[ranks[place.number]]
                 if isinstance(place, Numbered) else next(rest) for place in places)

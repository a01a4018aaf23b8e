"""Columns that nothing read and that change what a row means: they are kept, and each is named in a warning."""

import re
from collections.abc import Iterable
from functools import lru_cache

from cadc.data.reasons import kind_of, printable
from cadc.data.rows.keys import Account
from cadc.data.sample import Turn

_WORDS = frozenset((
    "question instruction instructions prompt query input inputs answer answers response output completion "
    "options option choices candidates context contexts hint hints passage article document documents paragraph story "
    "lecture background knowledge facts evidence history reasoning reasoningcontent rationale solution cot explanation "
    "thinking thought chainofthought complexcot system systemprompt sysprompt systemmessage sys tools functions apis "
    "prefix suffix").split())
"""Columns of words, without regard to case and underscores: warned of where nobody says what is in them."""
_PREFERENCE = frozenset((
    "chosen rejected rejectedresponse rejectedmessages rejectedimages chosenresponse winner loser").split())
_MARKS = frozenset((
    "mask masks lossmask lossmasks lossscale weight weights sampleweight lossweight loss train trainable trainoninput "
    "trainoninputs maskhistory maskprompt labels").split())
_KNOWN = _WORDS | _PREFERENCE | _MARKS | {"label", "ktotag", "objects"}
_GROUNDED = re.compile(r"<(?:bbox|ref-object|point)>")
_MARKED_PICTURE = re.compile(r"!\[[^\]\n]{0,200}\]\([^)\s]{1,500}\)")
_LETTERED = re.compile(r"(?:option|choice|op|opt)[_ ]?[a-h1-8]", re.IGNORECASE)


def warn_of_unread(account: Account, turns: tuple[Turn, ...]) -> None:
    """Name the columns left over without which the row teaches something else, or marks that nobody followed."""
    said: str | None = None
    for name in account.left:
        value = account.row[name]
        plain = _plain(name)
        if plain not in _KNOWN or value in (None, "", "[]", [], {}) or name in account.named:
            continue
        if plain in _WORDS:
            said = _said(turns) if said is None else said
            parts = [part.strip() for part in _texts(value)]
            if not parts or not all(part in said for part in parts):
                account.note(f"column is not in the text: {printable(name, 60)} stands beside the conversation and is "
                             "not learnt")
        elif plain in _PREFERENCE:
            account.note(f"column of preferences: {printable(name, 60)} is not learnt, nor anything against it")
        elif plain in _MARKS:
            account.note(f"column may say what is learnt: {printable(name, 60)} is not followed")
        elif plain in ("label", "ktotag") and value is False:
            account.note(f"column may say what is learnt: {printable(name, 60)}=false marks a bad answer in preference "
                         "data, and the answer is learnt")
        elif plain == "objects" and _GROUNDED.search(_said(turns)):
            account.note(f"column is not in the text: {name} belongs in the text's places as <bbox>, which stay words")


@lru_cache(4096)
def _plain(name: str) -> str:
    """A column's name without case and signs; every option's own column is `option`."""
    return "option" if _LETTERED.fullmatch(name) else name.lower().replace("_", "").replace("-", "").replace(" ", "")


def warn_of_pictures_in_words(account: Account, turns: tuple[Turn, ...]) -> None:
    """Name a picture that a user's Markdown shows in a row without pictures."""
    for number, turn in enumerate(turns, 1):
        for part in turn.parts if turn.role == "user" else ():
            if isinstance(part, str) and "](" in part and (found := _MARKED_PICTURE.search(part)):
                account.note(f"taken as text only: {printable(found.group(), 60)} in turn {number} stays words")


def _said(turns: tuple[Turn, ...]) -> str:
    return "\n".join(part for turn in turns for part in turn.parts if isinstance(part, str))


def _texts(value: object) -> Iterable[str]:
    """The words of a column's value."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    return [] if kind_of(value) != "a number" else [str(value)]

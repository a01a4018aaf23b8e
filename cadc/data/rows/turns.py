"""Conversation columns → turns with their roles, contents and marks."""

import ast
import json
import re
from dataclasses import dataclass
from typing import Literal, TypeGuard

from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.rows import tools
from cadc.data.rows.keys import Account
from cadc.data.rows.marks import learnt, listed
from cadc.data.rows.pictures import Numbered, Piece, Shown, in_turn, picture_of
from cadc.data.sample import Role

CONVERSATIONS = ("conversations", "messages", "conversation")
TEXTS = "texts"
"""the_cauldron's and FineVision's column: [{user, assistant, source}]."""
PROMPT, COMPLETION = "prompt", "completion"
"""TRL's columns, where they hold messages."""

_BLOCKS_AS_TEXT = re.compile(r"""\[\{\s*['"]type['"]:\s*['"](?:text|image|image_url)['"]""")
Said = Role | Literal["tool", "call"]
ROLES: dict[str, Said] = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "model": "assistant", "bot": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "ai": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "function": "tool", "observation": "tool", "ipython": "tool", "tool_response": "tool",
    "function_response": "tool", "function_call": "call", "tool_call": "call"}
NAMES, CONTENTS = ("from", "role"), ("value", "content", "text")
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought")
CALLS = ("tool_calls", "function_call")
HARMLESS = frozenset({"id", "name", "tool_call_id", "timestamp", "create_time", "created_at", "turn_id", "message_id",
                      "index", "idx", "round", "model", "source", "cache_control", "annotations", "detail"})
"""Keys of turns and blocks that say nothing about what is learnt: no warning where they are not read."""
EXCHANGES = (("user", "assistant"), ("human", "assistant"), ("human", "gpt"), ("input", "output"),
             ("question", "answer"), ("query", "response"))
"""Keys of one exchange, in conversations whose turns name no speaker."""


@dataclass(frozen=True)
class Spoken:
    """One turn before it is in normal form."""

    role: Role
    pieces: list[Piece]
    learnt: bool = True


@dataclass(frozen=True)
class Conversation:
    """What a row says."""

    shape: str
    """`llava`, `messages-tags`, `messages-blocks`, `prompt-completion`, `texts` or `question-answer`."""
    turns: list[Spoken]
    blocks: bool = False
    """Whether pictures are content blocks."""


def conversation(account: Account) -> Conversation | None:
    """The row's conversation, None where it has no column for one. Raises SetAside."""
    row = account.row
    name = next((one for one in CONVERSATIONS if row.get(one) not in (None, "", [], {})), None)
    if name is not None:
        for other in CONVERSATIONS:
            if other in row and row[other] in ([], {}, ""):
                account.get(other)  # an empty one says nothing
        found = _turns(account, name)
        if isinstance(found, list):
            return Conversation("texts", found)
        shape = "llava" if found.llava else "messages-blocks" if found.blocks else "messages-tags"
        return Conversation(shape, found.turns, found.blocks)
    if is_exchanges(texts := as_list(row.get(TEXTS))):
        account.get(TEXTS)
        return Conversation("texts", _exchanges(account, texts))
    if row.get(COMPLETION) is not None and (_are_messages(row.get(PROMPT)) or _are_messages(row[COMPLETION])):
        return _prompt_completion(account)
    return None


def is_messages(value: object) -> TypeGuard[list[dict[str, object]]]:
    """Whether a whole row is nothing but a list of turns."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(turn, dict) and any(isinstance(turn.get(name), str) for name in NAMES) for turn in value)


def is_exchanges(value: object) -> TypeGuard[list[object]]:
    """Whether a `texts` column holds exchanges, not texts."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _are_messages(value: object) -> bool:
    """Whether a column holds messages: `[12, 30]` is an answer as any other."""
    said = as_list(value)
    return isinstance(said, list) and not (isinstance(value, str) and not all(
        isinstance(turn, dict) and any(name in turn for name in NAMES) for turn in said))


def as_list(value: object) -> object:
    """A conversation column as a list: it may hold JSON or Python text of one, or one list per key (common in parquet,
    and in what went through CSV)."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        for read in (json.loads, ast.literal_eval):
            try:
                return read(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
        return value
    if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
        if len({len(column) for column in value.values()}) == 1:
            return [dict(zip(value, turn, strict=True)) for turn in zip(*value.values(), strict=True)]
    return value


# ---- messages ------------------------------------------------------------------------------------------------------
class _Turns:
    """The turns of one column, one by one."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.turns: list[Spoken] = []
        self.blocks = self.llava = self.tool_before = False

    def add(self, turn: object, number: int) -> None:
        """Read one turn. Raises SetAside."""
        if not isinstance(turn, dict):
            raise SetAside(f"turn is not an object: turn {number} is {kind_of(turn)}")
        self.llava |= "from" in turn
        named, content = _key(turn, NAMES), _key(turn, CONTENTS)
        name = turn.get(named)
        said = ROLES.get(name.strip().lower()) if isinstance(name, str) else None
        if said is None:
            told = f"{printable(name, 40)} in turn {number}" if name is not None else (
                f"turn {number} names no speaker, its keys are {printable(', '.join(map(str, turn)) or 'none', 80)}")
            raise SetAside(f"unknown role: {told}")
        calls = [key for key in CALLS if turn.get(key) not in (None, "", [], {})]
        text = turn.get(content)
        if said == "tool" and isinstance(text, dict | list) and not _are_blocks(text):
            text = tools.value_text(text)
        pieces = self._pieces(text, number, empty=bool(calls))
        read = {named, content, *calls}
        if said == "user":
            pieces = in_turn(self.account, turn, pieces, read, number)
        elif said == "assistant":
            pieces = self._whole_answer(turn, pieces, calls, read, number)
        elif calls:
            self.account.note(f"tool call outside an answer, not read: turn {number}")
            read -= set(calls)
        learn = learnt(self.account, turn, number, read, answer=said in ("assistant", "call"))
        note_unread(self.account, "turn", turn, read)
        self._say(said, pieces, learn)

    def _say(self, said: Said, pieces: list[Piece], learnt: bool) -> None:
        """Append a turn; what tools answered, one after the other, is one turn of the user."""
        if said == "tool":
            if any(not isinstance(piece, str) for piece in pieces):
                raise SetAside("not supported: a picture in a tool's answer")
            text = tools.response_text("".join(piece for piece in pieces if isinstance(piece, str)))
            self.account.note("tool answer: written into the text as <tool_response>")
            if self.tool_before:
                self.turns[-1].pieces.append(f"\n{text}")
                return
            self.turns.append(Spoken("user", [text]))
        elif said == "call":
            text = "".join(piece for piece in pieces if isinstance(piece, str))
            self.account.note("tool call: written into the answer as <tool_call>")
            self.turns.append(Spoken("assistant", [tools.call_text(text) or text], learnt))
        else:
            self.turns.append(Spoken(said, pieces, learnt))
        self.tool_before = said == "tool"

    def _whole_answer(self, turn: dict[str, object], pieces: list[Piece], calls: list[str], read: set[str],
                      number: int) -> list[Piece]:
        """An answer with the thinking before it and the calls behind it."""
        thoughts = [key for key in THOUGHTS if isinstance(turn.get(key), str) and str(turn[key]).strip()]
        if thoughts:
            read.update(key for key in thoughts if turn[key] == turn[thoughts[0]])  # another thought is named as unread
            if any(isinstance(piece, str) and str(turn[thoughts[0]]).strip() in piece for piece in pieces):
                thoughts = []  # it stands there already
        if thoughts:
            self.account.note(f"thinking ({thoughts[0]}): read into the answer as <think>, turn {number}")
            pieces = [tools.thought_text(str(turn[thoughts[0]])), *pieces]
        for key in calls:
            self.account.note("tool call: written into the answer as <tool_call>")
            text = tools.call_text(turn[key])
            pieces = [*pieces, f"\n{text}" if any(isinstance(p, str) and p for p in pieces) else text]
        return pieces

    def _pieces(self, content: object, number: int, *, empty: bool) -> list[Piece]:
        """A turn's content as text and pictures; `empty`: nothing may stand there."""
        if isinstance(content, dict):
            content = [content] if _are_blocks([content]) else as_list(content)
        if isinstance(content, list):
            pieces = [piece for block in content for piece in self._block(block, number)]
            self.blocks |= any(not isinstance(piece, str) for piece in pieces)
            return pieces
        if isinstance(content, str):
            if _BLOCKS_AS_TEXT.match(content):
                self.account.note(f"text may be blocks written as text: turn {number} is read as words")
            return [content]
        if content is None and empty:
            return []
        raise SetAside(f"text is not a text: turn {number} is {kind_of(content)}")

    def _block(self, block: object, number: int) -> list[Piece]:
        """One content block: text, a picture with its path (`Shown`) or without one (None), or both."""
        if isinstance(block, str):
            return [block]
        if not isinstance(block, dict):
            raise SetAside(f"block is not an object: in turn {number} it is {kind_of(block)}")
        kind = block.get("type")
        if kind in ("thinking", "reasoning") and isinstance(thought := block.get(str(kind)) or block.get("text"), str):
            self.account.inside("block", block, ("type", str(kind) if block.get(str(kind)) else "text"))
            self.account.note(f"thinking (a block): read into the answer as <think>, turn {number}")
            return [tools.thought_text(thought)]
        named = next((key for key in ("image", "path", "url", "image_url", "base64", "source")
                      if block.get(key)), None)
        told, text = _told(block, str(kind))
        shows = kind in ("image", "image_url", "input_image") or (
            named is not None and kind in ("text", "input_text", None))
        if not shows and kind not in ("text", "input_text", "output_text", None):
            raise SetAside(f"not supported: block of type {printable(kind, 40)}")
        place = block.get("index") if shows and named is None else None
        note_unread(self.account, "block", block, {
            "type", told, *(key for key, value in block.items() if value is None), *((named or "",) if shows else ()),
            *(("index",) if place is not None else ())})
        if not shows:
            if not isinstance(text, str):
                raise SetAside(f"text is not a text: a block of turn {number} is {kind_of(text)}")
            return [text]
        picture: Piece = Shown(picture_of(block[named])) if named is not None else (
            Numbered(place) if isinstance(place, int) else None)
        if not (isinstance(text, str) and text):
            return [picture]
        before = named is not None and list(block).index(told) < list(block).index(named)
        return [text, picture] if before else [picture, text]


def _told(block: dict[str, object], kind: str) -> tuple[str, object]:
    """The key of a block's text, and that text: `text` (also {"value": …}), else `content`, `value` or its type's."""
    name = next((key for key in ("text", "content", "value", kind) if block.get(key) is not None), "text") \
        if kind in ("text", "input_text", "output_text") else "text"
    text = block.get(name)
    return name, text.get("value") if isinstance(text, dict) and isinstance(text.get("value"), str) else text


def _are_blocks(value: object) -> bool:
    """Whether a list holds content blocks."""
    return isinstance(value, list) and all(
        isinstance(one, str) or (isinstance(one, dict) and isinstance(one.get("type", one.get("text")), str))
        for one in value)


def note_unread(account: Account, place: Literal["turn", "block"], given: dict[str, object], read: set[str]) -> None:
    """Note the keys of a turn or block; those that hold something, were not read and may matter are warned of."""
    account.inside(place, given, read)
    for key, value in given.items():
        if key not in read and key not in HARMLESS and value not in (None, "", [], {}):
            account.note(f"key of a {place} is not read: {printable(key, 60)}")


def _turns(account: Account, name: str) -> "_Turns | list[Spoken]":
    said = as_list(account.get(name))
    if not isinstance(said, list):
        raise SetAside(f"{name} is not a list: it is {kind_of(said)}")
    others = [one for one in CONVERSATIONS if one in account.left and account.row.get(one)]
    if others:
        account.note(f"another conversation beside {name}, not read: {', '.join(others)}")
    marks = listed(account, len(said))
    if said and isinstance(said[0], dict) and not marks and _exchange_of(said[0]):
        return _exchanges(account, said)
    found = _Turns(account)
    for number, turn in enumerate(said, 1):
        if marks and isinstance(turn, dict):
            turn = turn | {"loss_mask": marks[number - 1]}
        found.add(turn, number)
    return found


def _key(turn: dict[str, object], names: tuple[str, ...]) -> str:
    """The first of these keys that the turn has with a value, else with none."""
    for one in names:
        if turn.get(one) is not None:
            return one
    return next((one for one in names if one in turn), names[0])


# ---- other columns -------------------------------------------------------------------------------------------------
def _exchange_of(turn: dict[str, object]) -> tuple[str, str] | None:
    """The keys of question and answer in a turn that names no speaker."""
    if any(turn.get(name) is not None for name in NAMES):
        return None
    return next((pair for pair in EXCHANGES if pair[0] in turn and pair[1] in turn), None)


def _exchanges(account: Account, exchanges: list[object]) -> list[Spoken]:
    """[{user, assistant, …}], also under other keys; a system text may stand in any of them."""
    turns: list[Spoken] = []
    for number, exchange in enumerate(exchanges, 1):
        if not isinstance(exchange, dict):
            raise SetAside(f"turn is not an object: exchange {number} is {kind_of(exchange)}")
        asked, told = _exchange_of(exchange) or EXCHANGES[0]
        read = {asked, told, "system"}
        learn = learnt(account, exchange, number, read, answer=True)
        note_unread(account, "turn", exchange, read)
        for role, key in (("system", "system"), ("user", asked), ("assistant", told)):
            text = exchange.get(key)
            if role == "system" and text in (None, ""):
                continue
            if not isinstance(text, str):
                raise SetAside(f"text is not a text: {key} of exchange {number} is {kind_of(text)}")
            turns.append(Spoken(role, [text], learn or role != "assistant"))  # type: ignore[arg-type]
    return turns


def _prompt_completion(account: Account) -> Conversation:
    """TRL's rows: only the completion is learnt."""
    found = _Turns(account)
    number = 0
    for name, role in ((PROMPT, "user"), (COMPLETION, "assistant")):
        value = account.get(name)
        value = as_list(value) if _are_messages(value) else value
        said = value if isinstance(value, list) else [{"role": role, "content": value}]
        for turn in said:
            number += 1
            found.add(turn, number)
        if name == PROMPT:
            if any(turn.role == "assistant" for turn in found.turns):
                account.note("answers in the prompt are not learnt: only the completion is")
            found.turns = [Spoken(t.role, t.pieces, t.learnt and t.role != "assistant") for t in found.turns]
    return Conversation("prompt-completion", found.turns, found.blocks)

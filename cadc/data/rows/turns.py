"""Conversation columns → turns with their roles, contents and marks."""

import json
from dataclasses import dataclass
from typing import Literal

from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.rows import tools
from cadc.data.rows.keys import Account
from cadc.data.rows.pictures import Piece, Shown, picture_of
from cadc.data.sample import Role

CONVERSATIONS = ("conversations", "messages", "conversation")
TEXTS = "texts"
"""the_cauldron's and FineVision's column: [{user, assistant, source}]."""
PROMPT, COMPLETION = "prompt", "completion"
"""TRL's columns, where they hold messages."""

Said = Role | Literal["tool", "call"]
ROLES: dict[str, Said] = {
    "human": "user", "user": "user", "prompter": "user",
    "gpt": "assistant", "assistant": "assistant", "model": "assistant", "bot": "assistant", "chatgpt": "assistant",
    "bing": "assistant", "bard": "assistant", "ai": "assistant",
    "system": "system", "developer": "system",
    "tool": "tool", "function": "tool", "observation": "tool", "ipython": "tool", "tool_response": "tool",
    "function_response": "tool", "function_call": "call", "tool_call": "call"}
NAMES, CONTENTS = ("from", "role"), ("value", "content")
THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought")
CALLS = ("tool_calls", "function_call")
LEARNT = ("loss", "train", "training", "trainable")
MARKS = frozenset({"weight", "loss_weight", *LEARNT})


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
    name = next((one for one in CONVERSATIONS if row.get(one) is not None), None)
    if name is not None:
        found = _turns(account, name)
        shape = "llava" if found.llava else "messages-blocks" if found.blocks else "messages-tags"
        return Conversation(shape, found.turns, found.blocks)
    if isinstance(as_list(row.get(TEXTS)), list):
        return Conversation("texts", _exchanges(account))
    asked, told = as_list(row.get(PROMPT)), as_list(row.get(COMPLETION))
    if told is not None and (isinstance(asked, list) or isinstance(told, list)):
        return _prompt_completion(account)
    return None


def as_list(value: object) -> object:
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
        said = ROLES.get(name.lower()) if isinstance(name, str) else None
        if said is None:
            raise SetAside(f"unknown role: {printable(name, 40)} in turn {number}")
        calls = [key for key in CALLS if turn.get(key) not in (None, "", [], {})]
        pieces = self._pieces(turn.get(content), number, empty=bool(calls))
        read = {named, content, *calls}
        if said == "assistant":
            pieces = self._whole_answer(turn, pieces, calls, read, number)
        elif calls:
            self.account.note(f"tool call outside an answer, not read: turn {number}")
            read -= set(calls)
        learnt = self._mark(turn, said in ("assistant", "call"), number, read)
        self.account.inside("turn", turn, read)
        self._say(said, pieces, learnt)

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
            read.update(thoughts)
            self.account.note(f"thinking ({thoughts[0]}): read into the answer as <think>, turn {number}")
            pieces = [tools.thought_text(str(turn[thoughts[0]])), *pieces]
        for key in calls:
            self.account.note("tool call: written into the answer as <tool_call>")
            text = tools.call_text(turn[key])
            pieces = [*pieces, f"\n{text}" if any(isinstance(p, str) and p for p in pieces) else text]
        return pieces

    def _pieces(self, content: object, number: int, *, empty: bool) -> list[Piece]:
        """A turn's content as text and pictures; `empty`: nothing may stand there."""
        if isinstance(content, list):
            pieces = [piece for block in content for piece in self._block(block, number)]
            self.blocks |= any(not isinstance(piece, str) for piece in pieces)
            return pieces
        if isinstance(content, str):
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
            self.account.inside("block", block, ("type", str(kind), "text"))
            self.account.note(f"thinking (a block): read into the answer as <think>, turn {number}")
            return [tools.thought_text(thought)]
        named = next((key for key in ("image", "path", "url", "image_url", "base64") if block.get(key)), None)
        text = block.get("text")
        shows = kind in ("image", "image_url", "input_image") or (
            named is not None and kind in ("text", "input_text", None))
        if not shows and kind not in ("text", "input_text", "output_text", None):
            raise SetAside(f"not supported: block of type {printable(kind, 40)}")
        self.account.inside("block", block, ("type", *(key for key, value in block.items() if value is None),
                                             *((named or "",) if shows else ()), "text"))
        if not shows:
            if not isinstance(text, str):
                raise SetAside(f"text is not a text: a block of turn {number} is {kind_of(text)}")
            return [text]
        picture: Piece = None if named is None else Shown(picture_of(block[named]))
        if not (isinstance(text, str) and text):
            return [picture]
        before = named is not None and list(block).index("text") < list(block).index(named)
        return [text, picture] if before else [picture, text]

    def _mark(self, turn: dict[str, object], answer: bool, number: int, read: set[str]) -> bool:
        """Whether a turn is learnt from, as its marks say. Raises SetAside for a mark that says neither."""
        learnt = True
        for key in sorted(MARKS & turn.keys()):
            read.add(key)
            value = turn[key]
            if value is None:
                continue
            if not isinstance(value, bool | int | float):
                raise SetAside(f"mark is not understood: {key}={printable(value, 40)} in turn {number}")
            if value not in (0, 1):
                self.account.note(f"mark read as 1: {key}={value} in turn {number}, weights between are not kept")
            if answer and not value:
                learnt = False
                self.account.note(f"turn that is not learnt: turn {number} is marked {key}={json.dumps(value)}")
            elif not answer and value and key in LEARNT:
                self.account.note(f"mark on a turn that is no answer: {key} in turn {number}; only answers are learnt")
        return learnt


def _turns(account: Account, name: str) -> _Turns:
    said = as_list(account.get(name))
    if not isinstance(said, list):
        raise SetAside(f"{name} is not a list: it is {kind_of(said)}")
    found = _Turns(account)
    for number, turn in enumerate(said, 1):
        found.add(turn, number)
    others = [one for one in CONVERSATIONS if one in account.left and account.row.get(one)]
    if others:
        account.note(f"another conversation beside {name}, not read: {', '.join(others)}")
    return found


def _key(turn: dict[str, object], names: tuple[str, ...]) -> str:
    """The first of these keys that the turn has with a value, else with none."""
    for one in names:
        if turn.get(one) is not None:
            return one
    return next((one for one in names if one in turn), names[0])


# ---- other columns -------------------------------------------------------------------------------------------------
def _exchanges(account: Account) -> list[Spoken]:
    """`texts`: [{user, assistant, …}]."""
    turns: list[Spoken] = []
    exchanges = as_list(account.get(TEXTS))
    for number, exchange in enumerate(exchanges if isinstance(exchanges, list) else [], 1):
        if not isinstance(exchange, dict):
            raise SetAside(f"turn is not an object: exchange {number} is {kind_of(exchange)}")
        account.inside("turn", exchange, ("user", "assistant", "system"))
        for role in ("system", "user", "assistant"):
            text = exchange.get(role)
            if role == "system" and text in (None, ""):
                continue
            if not isinstance(text, str):
                raise SetAside(f"text is not a text: {role} of exchange {number} is {kind_of(text)}")
            turns.append(Spoken(ROLES[role], [text]))  # type: ignore[arg-type]  # none of the three is a tool
    return turns


def _prompt_completion(account: Account) -> Conversation:
    """TRL's rows: only the completion is learnt."""
    found = _Turns(account)
    number = 0
    for name, role in ((PROMPT, "user"), (COMPLETION, "assistant")):
        value = as_list(account.get(name))
        said = value if isinstance(value, list) else [{"role": role, "content": value}]
        for turn in said:
            number += 1
            found.add(turn, number)
        if name == PROMPT:
            if any(turn.role == "assistant" for turn in found.turns):
                account.note("answers in the prompt are not learnt: only the completion is")
            found.turns = [Spoken(t.role, t.pieces, t.learnt and t.role != "assistant") for t in found.turns]
    return Conversation("prompt-completion", found.turns, found.blocks)

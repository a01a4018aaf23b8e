"""Rows that keep a question and its answer in columns: what stands in columns beside them becomes part of the text."""

import ast
import json
import re
import string

from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.rows import tools
from cadc.data.rows.keys import Account
from cadc.data.rows.turns import Conversation, Spoken
from cadc.data.sample import Turn

QUESTIONS = ("question", "instruction", "prompt", "query")
ANSWERS = ("answer", "response", "output", "completion")
OPTIONS = ("options", "choices")
CONTEXTS = ("context", "hint")
THOUGHT = "reasoning_content"
_LETTERS = string.ascii_uppercase
_LETTERED = re.compile(r"\(?[A-Za-z][.):]")
"""An option that brings its letter along."""


def question_answer(account: Account) -> Conversation:
    """A row with a question and an answer column as turns: `history` before, `input`, `context` and `options` around
    the question. Raises SetAside."""
    row = account.row
    asks = next((name for name in QUESTIONS if row.get(name) is not None),
                next((name for name in QUESTIONS if name in row), None))
    tells = next((name for name in ANSWERS if row.get(name) is not None), None)
    if asks is None or tells is None:
        raise SetAside("no conversation: expected conversations, messages, or a question and an answer")
    question = _text("question", "" if account.get(asks) is None else account.get(asks))
    answer = account.get(tells)
    more = row.get("input")
    if asks == "instruction" and isinstance(more, str) and more.strip():
        question = f"{question}\n{account.get('input')}"
    question = _with_context(account, question)
    question, chosen = _with_options(account, question, answer)
    told = _text("answer", answer if chosen is None else chosen)
    thought = row.get(THOUGHT)
    if isinstance(thought, str) and thought.strip():
        told = tools.thought_text(str(account.get(THOUGHT))) + told
        account.note(f"thinking ({THOUGHT}): read into the answer as <think>")
    return Conversation("question-answer",
                        [*_history(account), Spoken("user", [question]), Spoken("assistant", [told])])


def warn_of_unread(account: Account, turns: tuple[Turn, ...]) -> None:
    """Name columns beside a conversation without which its questions may mean nothing: nobody says them."""
    for name in (*OPTIONS, *CONTEXTS):
        value = account.row.get(name)
        if value not in (None, "", [], {}) and name in account.left:
            said = "\n".join(turn.text for turn in turns if turn.role != "assistant")
            parts = [text for _, text in options_of(value)] if name in OPTIONS else [str(value)]
            if not parts or not all(text.strip() in said for text in parts):
                account.note(f"column is not in the text: {name} stands beside the conversation and is not learnt")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str | int | float | bool):
        raise SetAside(f"text is not a text: {name} is {kind_of(value)}")
    return value if isinstance(value, str) else printable(value)


def _history(account: Account) -> list[Spoken]:
    """Alpaca's `history`: [[question, answer], …] before the question."""
    given = account.row.get("history")
    if given in (None, "", []):
        return []
    if not isinstance(given, list) or not all(isinstance(pair, list) and len(pair) == 2 and all(
            isinstance(text, str) for text in pair) for pair in given):
        raise SetAside("history is not a list of [question, answer]")
    account.get("history")
    return [turn for question, answer in given for turn in (Spoken("user", [question]), Spoken("assistant", [answer]))]


def _with_context(account: Account, question: str) -> str:
    for name in reversed(CONTEXTS):
        value = account.row.get(name)
        if isinstance(value, str) and value.strip() and value.strip() not in question:
            question = f"{account.get(name)}\n{question}"
        elif value not in (None, "", [], {}) and not isinstance(value, str):
            account.note(f"column is not understood: {name} is {kind_of(value)} and is not learnt")
    return question


def _with_options(account: Account, question: str, answer: object) -> tuple[str, str | None]:
    """The question with its options, and the letter of an answer that is an option's number (None where it is not)."""
    name, options = _offered(account)
    if not options:
        return question, None
    number = isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(options)
    numeric = any(text == str(answer) for _, text in options)
    chosen = options[answer][0] if number and not numeric and isinstance(answer, int) else None
    if chosen is not None:
        account.note(f"answer read as an option: {answer} is {chosen}, counted from 0")
    if all(text.strip() in question for _, text in options):
        return question, chosen
    for one in (name, *([] if name else [key for key, _ in options])):
        if one:
            account.get(one)
    lettered = all(_LETTERED.match(text) for _, text in options)
    return question + "".join(f"\n{text}" if lettered else f"\n{letter}. {text}" for letter, text in options), chosen


def _offered(account: Account) -> tuple[str, list[tuple[str, str]]]:
    """(column, [(letter, text)]); the column is '' where each option has one of its own (A, B, …)."""
    for name in OPTIONS:
        value = account.row.get(name)
        if value in (None, "", [], {}):
            continue
        if found := options_of(value):
            return name, found
        account.note(f"column is not understood: {name} is {kind_of(value)} and is not learnt")
        return name, []
    own = [(key, str(value)) for key in _LETTERS if (value := account.row.get(key)) not in (None, "")
           and isinstance(value, str | int | float)]
    return ("", own) if [key for key, _ in own] == list(_LETTERS[:len(own)]) and len(own) > 1 else ("", [])


def options_of(value: object) -> list[tuple[str, str]]:
    """[(letter, text)] of an options column: a list of texts, {letter: text}, {"text": […], "label": […]}, or text that
    holds one of these; [] where it is none of them."""
    if isinstance(value, str):
        value = _literal(value)
    if isinstance(value, dict):
        texts, labels = value.get("text"), value.get("label")
        if isinstance(texts, list) and isinstance(labels, list) and len(texts) == len(labels):
            value = dict(zip(map(str, labels), texts, strict=True))
        if all(isinstance(text, str | int | float) for text in value.values()):
            return [(str(letter), str(text)) for letter, text in value.items()]
        return []
    if isinstance(value, list) and 1 <= len(value) <= len(_LETTERS):
        if all(isinstance(text, str | int | float) for text in value):
            return [(letter, str(text)) for letter, text in zip(_LETTERS, value, strict=False)]
        if all(isinstance(one, dict) and isinstance(one.get("text"), str) and isinstance(one.get("label"), str)
               for one in value):
            return [(one["label"], one["text"]) for one in value]
    return []


def _literal(text: str) -> object:
    """JSON or Python text of a list or an object as its value (MMMU writes `"['a', 'b']"`)."""
    if text.lstrip()[:1] in ("[", "{") and len(text) < 20_000:
        for read in (json.loads, ast.literal_eval):
            try:
                return read(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return [line.strip() for line in text.splitlines() if line.strip()] if "\n" in text else text

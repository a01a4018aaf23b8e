"""Rows that keep a question and its answer in columns: what stands in columns beside them becomes part of the text."""

import ast
import json
import math
import re
import string

from cadc.data.reasons import SetAside, kind_of, printable
from cadc.data.rows import tools
from cadc.data.rows.keys import Account
from cadc.data.rows.turns import CONVERSATIONS, THOUGHTS, Conversation, Spoken, as_list

QUESTIONS = ("question", "instruction", "prompt", "query")
ANSWERS = ("answer", "response", "output", "completion")
OPTIONS = ("options", "choices")
CONTEXTS = ("context", "hint")
_LETTERS = string.ascii_uppercase
MISSING = "nan"
"""What pandas makes of an empty cell, as a text."""
_WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0)?")
_OWN_OPTION = re.compile(r"(?:option|choice)[_ ]?([A-Ja-j])|op([a-e])")
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
        if empty := next((name for name in CONVERSATIONS if row.get(name) in ([], {}, "")), None):
            raise SetAside(f"no turns: {empty} is empty")
        raise SetAside("no conversation: expected conversations, messages, or a question and an answer")
    for name in CONVERSATIONS:
        if row.get(name) in ([], {}, ""):
            account.get(name)  # an empty one says nothing
    question = _text("question", "" if account.get(asks) is None else account.get(asks))
    answer = account.get(tells)
    more = row.get("input")
    if isinstance(more, int | float) and not isinstance(more, bool):
        more = str(more)
    if asks == "instruction" and isinstance(more, str) and more.strip():
        account.get("input")
        question = f"{question}\n{more}" if question.strip() else more
    question = _with_context(account, question)
    question, chosen = _with_options(account, question, answer)
    told = _text("answer", answer if chosen is None else chosen)
    thoughts = next((name for name in THOUGHTS if isinstance(row.get(name), str) and str(row[name]).strip()), None)
    if thoughts and str(account.get(thoughts)).strip() not in told:
        told = tools.thought_text(str(row[thoughts])) + told
        account.note(f"thinking ({thoughts}): read into the answer as <think>")
    return Conversation("question-answer",
                        [*_history(account), Spoken("user", [question]), Spoken("assistant", [told])])


def _text(name: str, value: object) -> str:
    if not isinstance(value, str | int | float | bool):
        raise SetAside(f"text is not a text: {name} is {kind_of(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise SetAside(f"text is not a text: {name} is no finite number")
    return value if isinstance(value, str) else printable(value)


def _history(account: Account) -> list[Spoken]:
    """Alpaca's `history`: [[question, answer], …] before the question."""
    given = account.row.get("history")
    given = as_list(given) if isinstance(given, str) else given
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
        if value == MISSING:
            account.get(name)
        elif isinstance(value, str) and value.strip() and value.strip() not in question:
            question = f"{account.get(name)}\n{question}"
        elif value not in (None, "", [], {}) and not isinstance(value, str):
            account.named.add(name)
            account.note(f"column is not understood: {name} is {kind_of(value)} and is not learnt")
    return question


def _with_options(account: Account, question: str, answer: object) -> tuple[str, str | None]:
    """The question with its options, and the letter of an answer that is an option's number (None where it is not)."""
    columns, options = _offered(account)
    if not options:
        return question, None
    chosen = _chosen(account, answer, options)
    if all(text.strip() in question for _, text in options):
        return question, chosen
    for one in columns:
        account.get(one)
    lettered = all(_LETTERED.match(text) for _, text in options)
    return question + "".join(f"\n{text}" if lettered else f"\n{letter}. {text}" for letter, text in options), chosen


def _chosen(account: Account, answer: object, options: list[tuple[str, str]]) -> str | None:
    """The letter of an answer that is an option's number, None for any other. Raises SetAside for a number beyond them;
    one in words may be an answer of its own, and is only warned of."""
    number = _number(answer)
    if number is None or any(number == _number(text) or letter == str(answer).strip() for letter, text in options):
        return None
    inside = 0 <= number < len(options)
    if isinstance(answer, str) and (not inside or any(re.search(rf"\b{number}\b", text) for _, text in options)):
        account.note(f"answer is none of the options: {printable(answer, 40)}")
        return None
    if not inside:
        raise SetAside(f"answer is no option: {number} of {len(options)} options, counted from 0")
    account.note(f"answer read as an option: {number} is {options[number][0]}, counted from 0")
    return options[number][0]


def _number(value: object) -> int | None:
    """A whole number, also one written as text or with `.0`; None for anything else."""
    if isinstance(value, str) and _WHOLE.fullmatch(value.strip()):
        return int(float(value))
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e9:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _offered(account: Account) -> tuple[list[str], list[tuple[str, str]]]:
    """(columns, [(letter, text)]): one column of options, or one for each of them (`A`, `option_a`, `opa`, …)."""
    for name in OPTIONS:
        value = account.row.get(name)
        if value in (None, "", "[]", [], {}):
            continue
        if found := options_of(value):
            return [name], found
        account.named.add(name)
        account.note(f"column is not understood: {name} is {kind_of(value)} and is not learnt")
        return [name], []
    own: dict[str, tuple[str, str]] = {}
    for name, value in account.row.items():
        letter = name if name in _LETTERS and len(name) == 1 else (hit[1] or hit[2]).upper() if (
            hit := _OWN_OPTION.fullmatch(name)) else ""
        if letter and isinstance(value, str | int | float) and value != "" and value != MISSING:
            own.setdefault(letter, (name, str(value)))
    letters = sorted(own)
    if len(own) < 2 or letters != list(_LETTERS[:len(own)]):
        return [], []
    return [own[one][0] for one in letters], [(one, own[one][1]) for one in letters]


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

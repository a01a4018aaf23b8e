"""Reading an answer: when does a generated text count as the expected one."""

import re
import unicodedata

_LETTER = re.compile(r"^(?:answer|option)?\s*[:(\[]?\s*([a-z])(?:[).:\],]|\s|$)")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?%?")


def normalise(text: str) -> str:
    """Lower case, NFKC, one space between words, no quotes or closing punctuation around the whole."""
    text = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return text.strip("\"'`“”‘’ ").rstrip(".!;,: ").strip("\"'`“”‘’ ")


def is_right(answer: str, expected: str, answer_format: str = "") -> bool:
    """Exact match after `normalise`; for a closed format the answer's own token decides.

    `letter`: the option letter at the start ("(B)", "B.", "B red"); `yes/no`: the first word; `number`: equal values
    ("1,000" and "1000"). `answer_format` is what `cadc.data.answer_format` says about the target sample.
    """
    given, wanted = normalise(answer), normalise(expected)
    if given == wanted:
        return True
    if answer_format == "letter":
        found, meant = _LETTER.match(given), _LETTER.match(wanted)
        return bool(found and meant and found[1] == meant[1])
    if answer_format == "yes/no":
        return given.split(" ")[0].strip(".,;:!") == wanted.split(" ")[0].strip(".,;:!")
    if answer_format == "number":
        return _value(given) is not None and _value(given) == _value(wanted)
    return False


def _value(text: str) -> float | None:
    """The number that a text is, when it is nothing else."""
    return float(text.rstrip("%").replace(",", "")) if _NUMBER.fullmatch(text) else None

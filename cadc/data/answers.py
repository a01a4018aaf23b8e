"""What form an answer has. Gradients see the answer's vocabulary first, so this stands beside every map."""

import re

from cadc.data.sample import Sample

FORMATS = ("yes/no", "letter", "number", "word", "phrase", "text")
"""What `answer_format` answers, the strictest first."""
_YES_NO = {"yes", "no", "true", "false"}
_LETTER = re.compile(r"[(\[]?[A-Za-z][)\]]?[.:]?")
_NUMBER = re.compile(r"[-+−]?[$€£¥]?\s?\d[\d,. ]*(?:\s?/\s?\d+)?(?:e[-+]?\d+)?\s?(?:%|°|°?[CF]|[a-z]{1,2}[²³]?)?\.?",
                     re.IGNORECASE)


def answer_format(sample: Sample) -> str:
    """'yes/no', 'letter', 'number', 'word' (one), 'phrase' (≤ 6 words, 60 characters) or 'text'."""
    answer = sample.answer.strip()
    if answer.rstrip(".!").casefold() in _YES_NO:
        return "yes/no"
    if _LETTER.fullmatch(answer):
        return "letter"
    if len(answer) < 40 and _NUMBER.fullmatch(answer):
        return "number"
    words = len(answer.split())
    if words <= 1 and len(answer) <= 30:
        return "word"
    return "phrase" if words <= 6 and len(answer) <= 60 and "\n" not in answer else "text"

"""Names for capabilities, proposed from the words of their questions (class-based TF-IDF) and the form of their
answers."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

WORD = re.compile(r"[^\W\d_]{2,}")
MORE_STOP_WORDS = frozenset({"answer", "choose", "did", "does", "goes", "picture", "image", "question", "shown", "say"})
"""Besides scikit-learn's English ones: what instructions are made of."""
WORDS = 2
"""How many words a name has."""


def propose(questions: Mapping[str, Sequence[str]], formats: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """{capability: name}: the words that its questions have and others lack, and how its samples are answered where one
    form is usual, `triangle, circle (letter)`; '' where no word tells it from the others.

    questions: the questions of each capability's samples; formats: their answer formats. A word weighs what BERTopic's
    c-TF-IDF gives it, tf · ln(1 + A / f) with tf the share of a capability's words, f its count over all and A the mean
    count of words per capability, less the same of the capability that has it most besides. A word counts once a
    question, so that a list of options does not drown what is asked.
    """
    counts = {name: Counter(word for text in texts for word in set(WORD.findall(text.lower())))
              for name, texts in questions.items()}
    every = sum(counts.values(), Counter())
    mean = sum(every.values()) / max(len(counts), 1)
    weights = {name: {word: n / max(own.total(), 1) * np.log1p(mean / every[word]) for word, n in own.items()}
               for name, own in counts.items()}
    return {name: _said(_best(name, weights), formats.get(name, ())) for name in questions}


def _best(name: str, weights: Mapping[str, Mapping[str, float]]) -> list[str]:
    others = [own for other, own in weights.items() if other != name]
    ahead = {word: weight - max((own.get(word, 0.0) for own in others), default=0.0)
             for word, weight in weights[name].items()}
    telling = sorted((word for word, by in ahead.items() if by > 0), key=lambda word: (-ahead[word], word))
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    weighty = [word for word in telling if word not in ENGLISH_STOP_WORDS | MORE_STOP_WORDS]
    return (weighty or telling)[:WORDS]


def _said(words: Sequence[str], formats: Sequence[str]) -> str:
    if not words:
        return ""
    form, count = Counter(formats).most_common(1)[0] if formats else ("", 0)
    usual = f" ({form})" if form and count > 0.6 * len(formats) else ""
    return ", ".join(words) + usual

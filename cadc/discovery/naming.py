"""Names for capabilities, proposed from what their questions ask (class-based TF-IDF over words and phrases) and the
form of their answers."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import log1p

WORD = re.compile(r"[^\W\d_]{2,}")
SENTENCE = re.compile(r"[^.?!;:\n。？！؟]+[.?!;:。？！؟]?")
QUESTION_MARKS = ("?", "？", "؟")
MORE_STOP_WORDS = frozenset({"answer", "choose", "did", "does", "goes", "has", "have", "picture", "image", "photo",
                             "figure", "diagram", "question", "shown", "say", "given", "following", "please", "using"})
"""Besides scikit-learn's English ones: what instructions are made of."""
TELLING = frozenset({"above", "after", "amount", "back", "before", "behind", "below", "between", "bill", "bottom",
                     "describe", "empty", "first", "front", "full", "last", "name", "next", "same", "side", "system",
                     "thick", "thin", "top", "under", "when", "where", "who", "why"})
"""Of scikit-learn's stop words those that say what is asked."""
PHRASES = frozenset({"how many", "how much", "how often", "how long", "how old", "how far"})
"""Made of stop words, and yet what is asked."""
TERMS, LENGTH = 2, 3
"""How many terms a name has, and how many words a term."""
ENOUGH = 0.15
"""A second term says something of at least this share of the questions that the first one says nothing of."""
FURTHER = 0.5
"""How much of another capability's weight is taken off a second term: the first has set the name apart already."""
AS_OFTEN = 0.8
"""A longer phrase stands for a shorter one in it where it is about as frequent."""
USUAL = 0.6
"""Share of answers from which on their form belongs to the name."""

Asked = Sequence[frozenset[str]]
"""The terms of each question."""


def propose(questions: Mapping[str, Sequence[str]], formats: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """{capability: name}: what its questions ask and others do not, and how its samples are answered where one form is
    usual, `how many · number`; '' where nothing tells it from the others.

    questions: the questions of each capability's samples; formats: their answer formats. A term is a word, or a phrase
    of up to `LENGTH` words, and counts once a question. It weighs what BERTopic's c-TF-IDF gives it, tf · ln(1 + A / f)
    with tf the share of a capability's questions that have it, f the sum of these shares and A their mean sum per
    capability, less the same of the capability that has it most besides. The second term is the best one for the
    questions that the first is not in.
    """
    heard = _recurring(questions.values())
    asked = {name: [frozenset(_terms(_asking(text, heard))) for text in texts] for name, texts in questions.items()}
    shares = {name: _shares(found) for name, found in asked.items()}
    return {name: _said(_best(name, asked, shares), formats.get(name, ())) for name in questions}


def _recurring(parts: Iterable[Sequence[str]]) -> frozenset[str]:
    """Sentences that two capabilities or more have after the first one of a text: how to answer."""
    heard = Counter(one for part in parts for one in {one for text in part for one in _sentences(text)[1:]})
    return frozenset(one for one, times in heard.items() if times > 1)


def _sentences(text: str) -> list[str]:
    return [one.strip() for one in SENTENCE.findall(text)]


def _asking(text: str, heard: Collection[str]) -> list[str]:
    """Sentences that ask: those with a question mark, else all but instructions ("Answer with one word.")."""
    sentences = _sentences(text)
    asking = [one for one in sentences if one.endswith(QUESTION_MARKS)]
    return asking or [one for n, one in enumerate(sentences) if not n or one not in heard]


def _terms(sentences: Sequence[str]) -> Iterator[str]:
    stop = _stop_words()
    for sentence in sentences:
        words = WORD.findall(sentence.lower())
        for length in range(1, LENGTH + 1):
            for start in range(len(words) - length + 1):
                part = words[start:start + length]
                term = " ".join(part)
                if term in PHRASES or (part[0] not in stop and part[-1] not in stop):
                    yield term


@cache
def _stop_words() -> Collection[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset((ENGLISH_STOP_WORDS | MORE_STOP_WORDS) - TELLING)


def _shares(asked: Asked) -> dict[str, float]:
    """{term: share of the questions that have it}."""
    counts = Counter(term for terms in asked for term in terms)
    return {term: n / len(asked) for term, n in counts.items()}


def _best(name: str, asked: Mapping[str, Asked], shares: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Up to `TERMS` terms, the most telling one first; where every term is as much another capability's, the weightiest
    one."""
    every: Counter[str] = Counter()
    for own in shares.values():
        every.update(own)
    mean = sum(every.values()) / max(len(shares), 1)
    rival = {term: max((own.get(term, 0.0) for other, own in shares.items() if other != name), default=0.0)
             for term in shares[name]}
    weight = {term: log1p(mean / every[term]) for term in shares[name]}
    found: list[str] = []
    left = list(asked[name])
    while left and len(found) < TERMS:
        now, enough = _shares(left), ENOUGH * len(asked[name]) / len(left) if found else 0.0
        used = {word for term in found for word in term.split()}
        much = FURTHER if found else 1.0
        ahead = {term: (share - much * rival[term]) * weight[term] for term, share in now.items()
                 if share >= enough and not _alike(term.split(), used)}
        telling = {term: by for term, by in ahead.items() if by > 0}
        if not telling and not found:
            telling = {term: share * weight[term] for term, share in now.items()}
        if not telling:
            break
        term = min(telling, key=lambda one: (-round(telling[one], 9), -len(one.split()), one))
        found.append(_longest(term, now))
        left = [terms for terms in left if term not in terms]
    return found


def _alike(words: Iterable[str], used: Iterable[str]) -> bool:
    """Whether a word was used already, or begins as one did ("number", "numbers")."""
    return any(word.startswith(other) or other.startswith(word) for word in words for other in used)


def _longest(term: str, shares: Mapping[str, float]) -> str:
    """The longest phrase around a term that is about as frequent."""
    around = [other for other, share in shares.items()
              if f" {term} " in f" {other} " and share >= AS_OFTEN * shares[term]]
    return max(around, key=lambda other: (len(other.split()), shares[other], other))


def _said(terms: Sequence[str], formats: Sequence[str]) -> str:
    if not terms:
        return ""
    form, count = Counter(formats).most_common(1)[0] if formats else ("", 0)
    usual = form and form not in terms and count > USUAL * len(formats)
    return ", ".join(terms) + (f" · {form}" if usual else "")

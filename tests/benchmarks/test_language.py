"""The tasks of the language benchmark: right by an independent reckoning, dirty as asked, apart from the target."""

import calendar
import importlib.util
import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.lab.language.facts import COUNTRIES, ELEMENTS, PLURALS, VERBS, WORDS
from benchmarks.lab.language.pool import said, write_tasks
from benchmarks.lab.language.tasks import HINTS, STRAYS, UNITS, roman
from benchmarks.language import PACKAGE, base_model, by_format
from cadc.data import ingest
from cadc.demo.pool import PoolMix
from cadc.errors import DataError, ModelError
from cadc.evaluation.answers import is_right

MIX = PoolMix(size=800, per_unit=20, zipf=0.7)
SYMBOL = dict(ELEMENTS)
NUMBER = {name: n for n, (name, _) in enumerate(ELEMENTS, 1)}
CAPITAL = {country: capital for country, capital, _ in COUNTRIES}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def words(row) -> tuple[str, str]:
    system, human, gpt = row["conversations"]
    assert (system["from"], human["from"], gpt["from"]) == ("system", "human", "gpt")
    return human["value"], gpt["value"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_tasks(tmp_path_factory.mktemp("tasks"), MIX)


@pytest.fixture(scope="module")
def pool(files):
    return [(*words(row), truth) for row, truth in zip(json.loads(files.pool.read_text()), lines(files.truth_pool),
                                                       strict=True)]


@pytest.fixture(scope="module")
def target(files):
    return [(*words(row), truth, row["task"]) for row, truth in
            zip(json.loads(files.target.read_text()), lines(files.truth_target), strict=True)]


# ---- an independent reckoning: from the words of a question to its answer --------------------------------------------
def from_roman(text: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}[letter] for letter in text]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))


def around(names, text: str) -> str:
    found = re.search(r"(\d+) (?:day|month)s? (after|before) (\w+)", text)
    step = int(found[1]) * (1 if found[2] == "after" else -1)
    return list(names)[(list(names).index(found[3]) + step) % len(names)]


def named(table: dict, text: str):
    """The value of the longest key that the text names."""
    return table[max((key for key in table if re.search(rf"\b{key}\b", text)), key=len)]


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text)]


def reckon(skill: str, text: str) -> str:
    """What the question asks for, without its options and claims."""
    if skill == "sum":
        return str(sum(sorted(numbers(text))))
    if skill == "roman":
        found = numbers(text)
        return roman(found[0]) if found else str(from_roman(re.search(r"\b[IVXLC]{2,}\b", text)[0]))
    if skill == "day":
        return around(calendar.day_name, text)
    if skill == "month":
        return around(list(calendar.month_name)[1:], text)
    if skill == "capital":
        return named(CAPITAL, text)
    if skill == "continent":
        return named({country: continent for country, _, continent in COUNTRIES}, text)
    if skill == "past":
        return named(dict(VERBS), text)
    if skill == "plural":
        return named(dict(PLURALS), text)
    if skill == "product":
        return str(numbers(text)[0] * numbers(text)[1])
    if skill == "difference":
        return str(max(numbers(text)) - min(numbers(text)))
    return sorted(word for word in re.findall(r"\w+", text) if word in WORDS)[0]  # alphabet


def claimed(skill: str, text: str) -> bool:
    """Whether the claim of a yes-or-no question holds."""
    if skill == "sum":
        a, b, c = numbers(text)
        return c == a + b if not text.startswith(f"Is {a} the") else a == b + c
    if skill == "larger":
        a, b = numbers(text)
        return a < b if "less" in text else a > b
    if skill == "spelling":
        letter = re.search(r"letter (\w)\b|contain (\w)\b", text)
        word = re.search(r"the word (\w+)|Does (\w+) contain|Is (\w+) spelt", text)
        return next(filter(None, letter.groups())) in next(filter(None, word.groups()))
    if skill == "day":
        return re.search(r"[A-Z]\w+day", text)[0] == around(calendar.day_name, text)
    return re.search(rf"\b{re.escape(named(CAPITAL, without_capitals(text)))}\b", text) is not None


def without_capitals(text: str) -> str:
    """A claim about a capital without the city, which may be named like a country (Guatemala City)."""
    cities = "|".join(sorted(map(re.escape, CAPITAL.values()), key=len, reverse=True))
    names = "|".join(sorted(map(re.escape, CAPITAL), key=len, reverse=True))
    country = re.search(rf"of ({names})\b|Does ({names})\b", text)
    return next(filter(None, country.groups())) if country else re.sub(cities, "", text)


def expected(truth: dict, question: str) -> str:
    skill, form = truth["skill"], truth["format"]
    text = question.removesuffix(HINTS[form]).strip()
    if form == "yes/no":
        return "yes" if claimed(skill, text) else "no"
    if form == "letter":
        options = re.search(r"A (.+), B (.+), C (.+)\.$", text)
        asked = text[:options.start()]
        wanted = named(SYMBOL, asked) if skill == "element" else reckon(skill, asked)
        return "ABC"[options.groups().index(wanted)]
    if skill == "element":
        return named(SYMBOL, text) if form == "word" else str(named(NUMBER, text))
    if skill == "spelling":
        return str(len(next(word for word in re.findall(r"\w+", text) if word in WORDS)))
    return reckon(skill, text)


def test_right_answers_are_right_and_wrong_ones_wrong(pool, target):
    checked = Counter()
    for question, answer, truth in [*pool, *(row[:3] for row in target)]:
        if truth["off_topic"]:
            continue
        wanted = expected(truth, question)
        assert truth["truth"] == wanted, (question, truth["truth"], wanted)
        assert (answer == wanted) is not truth["wrong"], (question, answer)
        assert is_right(answer, wanted, truth["format"]) is not truth["wrong"], (question, answer)
        checked[truth["kind"]] += 1
    assert set(checked) == {kind.name for kind in (*UNITS, *STRAYS)}


def test_facts_agree_with_other_sources():
    pycountry = pytest.importorskip("pycountry")
    periodictable = pytest.importorskip("periodictable")
    assert all(pycountry.countries.lookup(country) for country, _, _ in COUNTRIES)
    assert [(e.name, e.symbol) for e in periodictable.elements if 0 < e.number <= len(ELEMENTS)] == list(ELEMENTS)


# ---- pool and target -------------------------------------------------------------------------------------------------
def test_shares_are_as_asked(pool):
    shares = {key: sum(bool(truth[key]) for *_, truth in pool) for key in ("wrong", "off_topic")}
    copies = sum(truth["duplicate_of"] is not None for *_, truth in pool)
    strays = sum(not truth["on_target"] and not truth["off_topic"] and truth["duplicate_of"] is None
                 for *_, truth in pool)
    assert len(pool) == 800 and shares == {"wrong": 80, "off_topic": 120} and copies == 120
    assert strays == round(MIX.off_target * (800 - 240))


def test_the_truth_file_says_what_the_rows_are(pool):
    names = {kind.name: kind for kind in (*UNITS, *STRAYS)}
    for place, (question, answer, truth) in enumerate(pool):
        assert truth["index"] == place
        assert truth["unit"] == (truth["kind"] if truth["on_target"] else None)
        if not truth["off_topic"]:
            kind = names[truth["kind"]]
            assert (kind.skill, kind.form, kind.on_target) == (truth["skill"], truth["format"], truth["on_target"])
            assert question.endswith(HINTS[kind.form])
        if (first := truth["duplicate_of"]) is not None:
            assert first < place and (pool[first][1], pool[first][2]["kind"]) == (answer, truth["kind"])


def test_a_duplicate_repeats_words_or_answer_and_nothing_else_does(pool):
    own = [said(question) for question, _, truth in pool if truth["duplicate_of"] is None and not truth["off_topic"]]
    assert len(set(own)) == len(own)
    copies = [said(question) == said(pool[truth["duplicate_of"]][0]) for question, _, truth in pool
              if truth["duplicate_of"] is not None]
    assert abs(sum(copies) - len(copies) / 2) <= 1


def test_the_target_is_clean_balanced_and_not_in_the_pool(pool, target):
    assert Counter(task for *_, task in target) == {kind.name: 20 for kind in UNITS} and len(UNITS) >= 10
    assert all(truth["kind"] == task and not truth["wrong"] for _, _, truth, task in target)
    asked = {said(question) for question, *_ in target}
    assert len(asked) == len(target) and not asked & {said(question) for question, *_ in pool}


def test_an_open_question_of_the_target_is_not_asked_in_other_words(pool, target):
    def facts(rows):
        return {(truth["kind"], re.sub(r"\W", "", truth["truth"])) for _, _, truth in rows
                if truth["kind"] in ("element_word", "element_number", "capital_word", "roman_word", "roman_number")}

    assert not facts(pool) & facts([row[:3] for row in target])


def test_skills_and_formats_cross():
    assert all(len({kind.form for kind in UNITS if kind.skill == skill}) > 1 for skill in {k.skill for k in UNITS})
    assert all(len({kind.skill for kind in UNITS if kind.form == form}) > 1 for form in {k.form for k in UNITS})


def test_a_seed_makes_the_same_bytes_and_another_seed_others(files, tmp_path):
    again = write_tasks(tmp_path / "again", MIX)
    assert again.pool.read_bytes() == files.pool.read_bytes()
    assert again.target.read_bytes() == files.target.read_bytes()
    assert write_tasks(tmp_path / "other", replace(MIX, seed=1)).pool.read_bytes() != files.pool.read_bytes()


def test_rows_to_avoid_are_avoided(files, tmp_path, pool, target):
    made = write_tasks(tmp_path, replace(MIX, seed=9, size=100), avoid=(files.pool, files.target))
    fresh = {said(words(row)[0]) for row in json.loads(made.target.read_text())}
    assert not fresh & {said(row[0]) for row in [*pool, *target]}


def test_a_kind_that_is_exhausted_says_so(tmp_path):
    with pytest.raises(DataError, match="no more questions"):
        write_tasks(tmp_path, replace(MIX, per_unit=200))


def test_a_study_reads_every_row(files):
    for path, column in ((files.pool, ""), (files.target, "task")):
        found = ingest(path, None, unit_column=column)
        assert found.rows == len(found.samples) and not found.set_aside and not any(s.images for s in found.samples)


# ---- what is made of the numbers -------------------------------------------------------------------------------------
def test_what_the_format_explains_is_told_from_what_similarity_adds():
    rng = np.random.default_rng(0)
    form = np.repeat([0, 1, 2], 4)
    similar = rng.normal(size=(12, 12))
    similar += similar.T
    inside = form[:, None] == form[None, :]
    transfer = np.where(inside, 5.0 + rng.normal(size=(12, 12)), similar - 20)  # across formats similarity is all
    np.fill_diagonal(transfer, 1)
    listed = transfer.tolist()
    listed[0][11] = None
    found = by_format(similar, listed, form)
    assert found["other"]["spearman"] == pytest.approx(1) and found["other"]["p"] < 0.01
    assert (found["same"]["pairs"], found["other"]["pairs"]) == (18, 48)
    assert found["same"]["helps"] == 1 and found["other"]["helps"] == 0 and found["other"]["median"] < -10


# ---- the model -------------------------------------------------------------------------------------------------------
def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.language.PACKAGE", "no_such_package")
    with pytest.raises(ModelError, match="requirements-language-benchmark.txt"):
        base_model(tmp_path)


def test_the_published_model_is_converted_once_and_answers_in_its_own_template(tmp_path):
    if not all(map(importlib.util.find_spec, ("gguf", PACKAGE))):
        pytest.skip("the weights are not installed")
    from cadc.data import Sample, Turn
    from cadc.models import generate, load_vlm

    folder = base_model(tmp_path)
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert base_model(tmp_path) == folder and (folder / "model.safetensors").stat().st_mtime_ns == stamp
    vlm = load_vlm(str(folder))
    assert vlm.precision == "float32" and not vlm.notes
    asked = Sample(index=0, id="q", turns=(
        Turn(role="user", parts=("What is the capital of France?",)), Turn(role="assistant", parts=("Paris",))))
    assert "Paris" in generate(vlm, [asked], [[]], 12)[0]

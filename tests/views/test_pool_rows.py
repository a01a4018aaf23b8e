"""The Rows page's filters, counts and order, against row-by-row loops over the tables."""

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.synthesise import synthesise
from cadc.curation.marks import Marks
from cadc.curation.workbench import Workbench, open_workbench
from cadc.errors import DataError
from cadc.study import Study
from cadc.views import curating
from cadc.views.curating import tagged
from cadc.views.pool_rows import REASONS, STATUS, PoolRows, acted_on, with_target
from cadc.views.row_filter import NO_CAPABILITY, RowFilter
from cadc.views.rows import source_labels


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    root = tmp_path_factory.mktemp("rows")
    synthesise(root, rows=240, units=8, checkpoints=2, samples_per_unit=5, seed=3, name="trial")
    return Study.open("trial", root=root)


def shown(bench: Workbench, **given) -> PoolRows:
    """As the page makes it; words are looked for by hand."""
    table = bench.table

    def matching(words: str) -> np.ndarray:
        return np.array([row.index for row in table.itertuples(name="Row", index=False)
                         if words.lower() in f"{row.question}\n{row.answer}\n{row.id}".lower()], np.int64)

    return PoolRows(bench=bench, curriculum=bench.curriculum, sources=source_labels(table["source"]),
                    matching=matching, **({"marks": Marks()} | given))


@pytest.fixture(scope="module")
def view(study) -> PoolRows:
    bench = open_workbench(study)
    floor = float(np.median(bench.influence.max(1))) - 0.2
    high = np.flatnonzero(bench.influence.max(1) > floor)
    settings = replace(bench.settings, keep=(5,), drop=tuple(high[-2:].tolist()), floor=floor)
    marks = Marks(tags={"odd": np.array([1, 2, 200])}, checked=np.array([2, 3]), notes={4: "look"})
    return shown(bench.under(settings), marks=marks)


def status(view: PoolRows) -> list[str]:
    """Of each row, from the curriculum's own record."""
    chosen = set(view.curriculum.rows["position"].tolist())
    found = view.over.inputs.candidates
    reasons, words = list(found.left_out), {reason: word for word, reason in REASONS.items()}
    return ["chosen" if z in chosen else words[reasons[fate]] if fate >= 0 else "free"
            for z, fate in enumerate(found.fate.tolist())]


def passes(view: PoolRows, wanted: RowFilter) -> list[int]:
    """Positions, one row at a time."""
    bench, words = view.bench, status(view)
    nearest, ids = bench.influence_columns.nearest(), bench.capabilities.ids
    kept = []
    for z, row in enumerate(bench.table.to_dict("records")):
        own = ids[view.pool[z]] if view.pool[z] >= 0 else NO_CAPABILITY
        index, loss = int(row["index"]), float(bench.scores.last_loss[z])
        marked = {"checked": view.marks.is_checked(index), "unchecked": not view.marks.is_checked(index),
                  "noted": index in view.marks.notes, "always": index in bench.settings.keep,
                  "never": index in bench.settings.drop, "tag:odd": "odd" in view.marks.of(index), None: True}
        kept += [z] * bool(
            wanted.source in (None, view.sources[z]) and wanted.capability in (None, own)
            and wanted.unit in (None, bench.scores.units[nearest[z]]) and wanted.format in (None, row["answer_format"])
            and wanted.status in (None, words[z]) and marked.get(wanted.mark)
            and wanted.words.lower() in f"{row['question']}\n{row['answer']}\n{row['id']}".lower()
            and (wanted.loss[0] is None or loss >= wanted.loss[0])
            and (wanted.loss[1] is None or loss <= wanted.loss[1]))
    return kept


def some(view: PoolRows) -> list[RowFilter]:
    bench = view.bench
    source, form = str(view.sources[0]), bench.table["answer_format"].iloc[0]
    return [RowFilter(), RowFilter(source=source), RowFilter(format=form, source=source),
            RowFilter(capability=bench.capabilities.ids[0]), RowFilter(capability=NO_CAPABILITY),
            RowFilter(unit=bench.scores.units[1]), RowFilter(loss=(0.5, None)), RowFilter(loss=(None, 1.0)),
            RowFilter(words=bench.table["answer"].iloc[3]), RowFilter(source="nowhere"), RowFilter(unit="nothing"),
            *(RowFilter(status=word) for word in STATUS), *(RowFilter(mark=mark) for mark in (
                "checked", "unchecked", "noted", "always", "never", "tag:odd"))]


def test_a_filter_keeps_what_a_loop_keeps(view):
    sizes = []
    for wanted in some(view):
        assert sorted(view.order(wanted).tolist()) == passes(view, wanted), wanted
        sizes.append(len(view.order(wanted)))
    assert 0 in sizes and 240 in sizes and len(set(sizes)) > 6


def test_counts_are_those_of_each_choice(view):
    source = str(view.sources[0])
    for now in (RowFilter(), RowFilter(source=source), RowFilter(source=source, mark="unchecked")):
        counted = view.counted(now)
        for field, options in counted.items():
            for value, text in options.items():
                alone = passes(view, replace(now, **{field: value}))
                assert text.endswith(f" · {len(alone):,}"), (field, value)
            if field != "mark":
                assert sum(int(text.rpartition(" · ")[2].replace(",", "")) for text in options.values()) == len(
                    passes(view, replace(now, **{field: None})))


def test_rows_come_in_the_order_asked_for(view):
    bench, index = view.bench, view.index
    assert view.order(RowFilter(sort="file", down=False)).tolist() == list(range(240))
    loss = np.asarray(bench.scores.last_loss)[view.order(RowFilter(sort="loss"))]
    assert (np.diff(loss) <= 0).all()
    assert (np.diff(view.strength[view.order(RowFilter(sort="influence", down=False))]) >= 0).all()
    trained = view.order(RowFilter(sort="training", status="chosen", down=False))
    assert index[trained].tolist() == bench.table["index"].to_numpy()[view.curriculum.rows["position"]].tolist()
    answers = bench.table["answer"].str.len().to_numpy()[view.order(RowFilter(sort="answer"))]
    assert (np.diff(answers) <= 0).all()


def test_rows_nearest_to_a_target_question_are_those_of_its_list(view):
    scores = view.bench.scores
    target = int(scores.sample_index[3])
    best = [int(z) for z in scores.best_index[3] if z >= 0]
    assert view.order(with_target(RowFilter(), target)).tolist() == best
    assert view.odd(RowFilter(target=10**6)) and not view.odd(RowFilter(target=target))


def test_near_duplicates_of_a_row_are_its_group(view):
    group = view.bench.table["group"].to_numpy()
    largest = int(np.bincount(group).argmax())
    members = np.flatnonzero(group == largest)
    found = view.order(RowFilter(group=int(view.index[members[0]]), sort="file", down=False))
    assert found.tolist() == members.tolist() and view.repeats(int(members[0])) == len(members)
    assert not len(view.order(RowFilter(group=10**6)))


def test_what_the_study_does_not_know_is_said(view):
    assert "nowhere" in view.odd(RowFilter(source="nowhere"))[0]
    assert view.odd(RowFilter(area="0,0 1,1 0,1")) and not view.odd(RowFilter())


def test_a_page_tells_status_and_marks(view):
    never = view.bench.settings.drop[0]
    page = view.page(np.array([2, 5, never]))
    assert page["marks"].tolist() == ["odd · ✓", "always taken", "never taken"]
    assert page["status"].tolist()[2] == "never" and page["index"].tolist() == [2, 5, never]
    assert view.why(never) == "left out: tagged never (tagged)"


def test_records_are_the_rows_as_they_came(view, study):
    lines = [json.loads(line) for line in view.records([3, 1]).splitlines()]
    assert [line["id"] for line in lines] == view.bench.table["id"].iloc[[3, 1]].tolist()


def test_an_act_is_about_ticked_rows_all_or_all_but_those():
    order = np.array([4, 2, 9])
    assert acted_on(order, [2, 7], "ticked").tolist() == [2, 7]
    assert acted_on(order, [2, 7], "all").tolist() == [4, 2, 9]
    assert acted_on(order, [2, 7], "but").tolist() == [4, 9]


def test_rows_taken_always_or_never_are_in_one_list_alone(view):
    bench, settings = view.bench, view.bench.settings
    one, other = settings.drop
    both = tagged(bench, settings, always=[one, 11])
    assert set(both.keep) == {5, one, 11} and set(both.drop) == {other}
    freed = tagged(bench, both, free=[5, other])
    assert set(freed.keep) == {one, 11} and not freed.drop
    for wrong, why in (({"always": [3], "never": [3]}, "two ways"), ({"never": [10**6]}, "no scores")):
        with pytest.raises(DataError, match=why):
            tagged(bench, settings, **wrong)


def test_too_many_rows_are_not_named_one_by_one(view, monkeypatch):
    monkeypatch.setattr(curating, "MOST", 20)
    with pytest.raises(DataError, match="one by one"):
        tagged(view.bench, view.bench.settings, never=range(40, 70))

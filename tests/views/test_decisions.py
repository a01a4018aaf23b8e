"""The history of decisions, and why an act is refused."""

from cadc.discovery import Capabilities
from cadc.study.decisions import Decision
from cadc.views.decisions import history, refusal

NOW = Capabilities(ids=("c1", "c2"), names=("reading", "c2"), of_unit=(0, 0, 1), units=("a", "b", "c"), issued=2)


def made(seq: int, kind: str = "rename", *, batch: int = 0, undone: bool = False, **payload: str) -> Decision:
    return Decision(seq=seq, at=f"2026-01-0{seq}T10:00:00", scope="capabilities", kind=kind, payload=payload,
                    batch=batch or seq, undone=undone)


def test_history_counts_acts_and_lists_the_newest_first():
    log = [made(1, capability="c1", name="x"), made(2, "move", batch=2, unit="a", to="c2"),
           made(3, "move", batch=2, unit="b", to="c2"), made(4, "merge", undone=True, **{"from": "c2", "into": "c1"})]
    found = history(log, log[3])
    assert (found.undo, found.redo, found.acts) == ("move", "merge", 2)
    assert found.table["when"].tolist() == [f"2026-01-0{n} 10:00:00" for n in (4, 3, 2, 1)]
    assert found.table[""].tolist() == ["taken back", "", "", ""]


def test_empty_history_has_its_columns():
    found = history([], None)
    assert (found.undo, found.redo, found.acts) == ("", "", 0) and list(found.table) == ["when", "what", ""]


def test_acts_that_do_not_apply_are_refused_with_a_reason():
    assert "already called" in refusal(NOW, "rename", [{"capability": "c2", "name": "Reading"}])
    assert refusal(NOW, "merge", [{"from": "c9", "into": "c1"}])
    assert refusal(NOW, "rename", [{"capability": "c2", "name": "counting"}]) == ""
    assert refusal(NOW, "move", [{"unit": "a", "to": "new"}, {"unit": "b", "to": "c3"}]) == "", "they follow the first"
    assert refusal(NOW, "curate", [{"budget": 0.1}]) == ""

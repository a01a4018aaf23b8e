"""Decisions as values: what is in force, the latest of a kind, and how the history words them."""

from cadc.study.decisions import Decision, describe, latest


def made(kind, undone=False, **payload):
    return Decision(seq=1, at="2026-01-01T00:00:00", scope="capabilities", kind=kind, payload=payload, undone=undone)


def test_undone_decisions_are_not_in_force():
    log = [made("rename", name="a"), made("rename", undone=True, name="b"), made("move", unit="u")]
    assert latest(log, "rename") == {"name": "a"} and latest(log, "merge") is None


def test_history_says_what_each_decision_did():
    assert describe(made("rename", capability="c1", name="reading")) == "c1 is called “reading”"
    assert describe(made("move", unit="dots", to=None)) == "“dots” moved to no capability"
    assert describe(made("move", unit="dots", to="new")) == "“dots” moved to a new capability"
    assert describe(made("merge", **{"from": "c1", "into": "c2"})) == "c1 merged into c2"
    assert describe(made("discover", method="leiden", tau=None, gamma=1.0)) == (
        "capabilities found with method leiden, gamma 1.0")

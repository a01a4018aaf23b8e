"""Pages and commands decide about one study: the same act is the same decision, and neither writes over the other."""

import json

import pytest

from cadc.cli import main
from cadc.curation.workbench import open_workbench
from cadc.jobs import control
from cadc.study.decisions import read_decisions


@pytest.fixture
def command(study, capsys):
    """A command on the study `trial`; what it says with `--json`."""
    def run(name: str, *arguments: str) -> dict:
        assert main([name, "trial", *arguments, "--json"]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run


def press(page, label: str):
    next(b for b in page.button if b.label == label).click()
    page.run()
    assert not page.exception and not page.error
    return page


def decided(study) -> list[tuple]:
    return [(d.kind, d.payload) for d in read_decisions(study) if not d.undone]



def test_finding_moving_and_naming_are_the_same_decisions(study, open_page, command):
    page = open_page("3_capabilities", study="trial")
    units = [unit for one in command("capabilities")["capabilities"] for unit in one["units"][:1]]
    page.multiselect(key=f"selected-{study.identity}").set_value(units)
    next(s for s in page.selectbox if s.label == "Move them to").set_value("new")
    page.run()
    press(page, "Move")
    next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value("reading").run()
    press(page, "Find capabilities")
    by_page = decided(study)
    for _ in range(3):
        command("undo", "capabilities")
    assert decided(study) == []
    command("move", *units, "--to", "new")
    command("rename", "c1", "reading")
    command("find")
    assert decided(study) == by_page


def test_saving_a_curriculum_is_the_same_decision(study, open_page, command):
    page = open_page("5_curriculum", study="trial")
    next(s for s in page.select_slider if s.label.startswith("Total budget")).set_value(10.0).run()
    page.segmented_control(key="draft-staging").set_value("soft").run()
    share = next(s for s in page.slider if s.label == "Share of c1 in %")
    share.set_value(50.0).run()
    press(page, "Save")
    by_page = decided(study)
    assert command("undo", "curation")["decisions"] and decided(study) == []
    command("curate", "--budget", "10%", "--staging", "soft", "--share", "c1=50%")
    assert decided(study) == by_page


def test_a_comparison_asked_for_by_either_is_one_and_the_same(study, open_page, capsys, monkeypatch):
    """The worker itself is tried elsewhere; here it is not started, so that both may ask."""
    monkeypatch.setattr(control, "start", lambda *_, **__: None)
    latest = study.evaluation_folder / "latest.json"
    page = open_page("6_evaluation", study="trial")
    page.number_input[0].set_value(2)
    page.text_input[0].set_value("5%, 10%").run()
    press(page, "Start the comparison")
    asked = json.loads(latest.read_text())
    latest.unlink()
    assert main(["evaluate", "trial", "--seeds", "2", "--budgets", "5%", "10%", "--detach", "--json"]) == 0
    assert json.loads(latest.read_text()) == asked == {"id": json.loads(capsys.readouterr().out)["comparison"]}
    page.run()
    note = next(t.value for t in page.text if "samples to train on" in t.value)
    assert main(["evaluate", "trial", "--seeds", "2", "--budgets", "5%", "10%", "--cost"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == note


def test_a_page_shows_what_a_command_decided_and_takes_it_back(study, open_page, command):
    page = open_page("3_capabilities", study="trial")
    command("rename", "c1", "by a command")
    page.run()
    assert any(t.value == "by a command" for t in page.text_input)
    press(page, "Undo")
    assert not any(t.value == "by a command" for t in page.text_input) and decided(study) == []
    assert command("redo", "capabilities")["decisions"][0]["payload"]["name"] == "by a command"


@pytest.mark.parametrize("gesture", ["type", "undo"])
def test_an_act_on_what_a_command_has_just_changed_waits_for_a_look(study, open_page, command, gesture):
    """The page was drawn before the command decided: nothing of either is lost, and the person is told."""
    page = open_page("3_capabilities", study="trial")
    next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value("by the page").run()
    command("rename", "c2", "by a command")
    if gesture == "undo":
        press(page, "Undo")
    else:
        next(t for t in page.text_input if t.label.startswith("Name of c1 ")).set_value("again").run()
    assert any("A command has decided something" in c.value for c in page.code)
    assert [payload["name"] for _, payload in decided(study)] == ["by the page", "by a command"]
    assert {"by the page", "by a command"} <= {t.value for t in page.text_input}
    press(page, "Undo")
    assert [payload["name"] for _, payload in decided(study)] == ["by the page"]


def test_a_curriculum_of_a_command_is_the_one_that_the_page_shows(study, open_page, command):
    found = command("curate", "--budget", "20%", "--always", "3")
    page = open_page("5_curriculum", study="trial")
    assert next(s for s in page.select_slider if s.label.startswith("Total budget")).value == 20.0
    assert len(open_workbench(study).curriculum.rows) == found["rows"] == 60

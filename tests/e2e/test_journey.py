"""The main job in a real browser: from two files to a curriculum, through a closed tab and a killed server."""

import json
import os
import re
import shlex
import time
from collections import Counter
from pathlib import Path

import pytest
from acts import choose, click_first_link, fill, flow, go, press, settle, shares
from playwright.sync_api import Browser, Page, expect

from cadc.demo import write_demo
from cadc.jobs import control as jobs
from cadc.study import Study
from cadc.study.decisions import latest, read_decisions

pytestmark = pytest.mark.e2e
NAME = "数を読む · reading"
SETTINGS = {"checkpoints": "2", "warmup_min_rows": "64", "warmup_epochs": "1", "permutations": "1", "shard_rows": "32",
            "judge_steps": "2"}


PACK = Path(os.environ.get("CADC_REAL_PACK", Path(__file__).parents[3] / "shared" / "packs" / "real"))
ROWS = 120


def drawn(folder: Path) -> dict[str, Path]:
    """A small pool and target of the generator."""
    files = write_demo(folder, pool_size=ROWS, per_unit=3)
    return {"Pool file": files.pool, "Target file": files.target}


def real(folder: Path) -> dict[str, Path]:
    """Real pictures and questions: every 20th row of the pack as pool, three other rows of each task as target."""
    if not (PACK / "data.json").exists():
        pytest.skip("the pack of real samples is not here; CADC_REAL_PACK names its folder")
    rows = json.loads((PACK / "data.json").read_text())
    chosen, seen = rows[::20][:ROWS], Counter()
    others = [row for n, row in enumerate(rows) if n % 20]
    target = [row for row in others if seen.update([row["task"]]) or seen[row["task"]] <= 3]
    folder.mkdir()
    for name, part in {"pool": chosen, "target": target}.items():
        (folder / f"{name}.json").write_text(json.dumps(part))
    return {"Pool file": folder / "pool.json", "Target file": folder / "target.json", "Image root": PACK}


def make_the_study(tab: Page, files: dict[str, Path]) -> None:
    """Type the paths of two files into the Data page."""
    for label, text in (files | {"Unit column of the target": "task", "Name of the study": "journey"}).items():
        tab.get_by_label(label, exact=True).fill(str(text))
    tab.get_by_text("Advanced settings").click()
    for label, text in SETTINGS.items():
        tab.get_by_label(label, exact=True).fill(text)
    press(tab, "Make the study")
    expect(tab.get_by_role("tab", name="Pool", exact=True)).to_be_visible()
    expect(tab.get_by_text(str(ROWS), exact=True).first).to_be_visible()
    tab.get_by_role("tab", name="Browse", exact=True).click()
    expect(tab.get_by_text(f"1–9 of {ROWS}", exact=True)).to_be_visible()
    press(tab, "Apply")  # with nothing chosen: everything stays
    expect(tab.get_by_text(f"1–9 of {ROWS}", exact=True)).to_be_visible()


def running_worker(study: Study) -> int:
    """Process number of the worker, as the running job tells it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = [s.pid for s in jobs.statuses(study) if s.state == "running"]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("no job ever said that it runs")


def run_the_jobs(app, browser: Browser, tab: Page) -> Page:
    """Start them; close the tab, kill the server, start it again: the same worker goes on. Returns the new tab."""
    study = app.study("journey")
    go(tab, "Trajectories")
    press(tab, "Start")
    expect(tab.get_by_text("You may close this tab")).to_be_visible()
    worker = running_worker(study)
    tab.close()
    app.kill()
    assert jobs.is_running(study), "the job outlives the tab and the server"
    app.start()
    assert {s.pid for s in jobs.statuses(study) if s.state == "running"} <= {worker}
    again = browser.new_page(viewport={"width": 1280, "height": 900})
    again.set_default_timeout(120_000)
    again.goto(f"{app.url}/trajectories?study=journey")
    live = again.get_by_text("You may close this tab").or_(again.get_by_text("All jobs are done"))
    expect(live.first).to_be_visible()
    app.watch_jobs(again, "journey")
    assert [s.pid for s in jobs.statuses(study) if s.job == "attribute"] == [worker], "nobody started it anew"
    return again


def shape_capabilities(tab: Page, study: Study) -> str:
    """Name one capability, move one of its units into a new one; returns the unit."""
    from cadc.curation.workbench import open_workbench

    unit = open_workbench(study).capabilities.members("c1")[0]
    go(tab, "Capabilities")
    fill(tab, re.compile(r"^Name of c1\b"), NAME)
    choose(tab, "Selected units", unit)
    expect(tab.get_by_text(re.compile(r"^1 of \d+ units selected"))).to_be_visible()
    choose(tab, "Move them to", "a new capability")
    press(tab, "Move")
    newest = open_workbench(study).capabilities.ids[-1]
    expect(tab.get_by_label(re.compile(rf"^Name of {newest}\b")).first).to_be_visible()
    return unit


def see_the_flow(tab: Page) -> None:
    """The new name is on the Sankey; a click on a link sets the boxes and the rows."""
    go(tab, "Influence")
    expect(flow(tab).locator("text").filter(has_text=NAME)).to_have_count(1)
    expect(tab.get_by_text("all sources → all capabilities: ")).to_be_visible()
    for _ in range(5):  # a chart that is drawn anew under the pointer swallows the click
        click_first_link(tab, flow(tab))
        tab.wait_for_timeout(500)
        settle(tab)
        if not tab.get_by_text("all sources → all capabilities: ").count():
            break
    expect(tab.get_by_text("all sources → all capabilities: ")).to_have_count(0)
    expect(tab.get_by_text(re.compile(r" of \d+ rows, strongest influence first"))).to_be_visible()


def budget_on_the_scale_and_in_tokens(tab: Page) -> None:
    """Keys move the logarithmic scale, none is lost; a budget typed in tokens moves it too and stays as it is."""
    scale = tab.get_by_role("slider", name="Total budget")
    before = int(scale.input_value())
    scale.focus()
    for _ in range(6):  # faster than the page answers
        scale.press("ArrowRight")
    settle(tab)
    expect(scale).to_have_value(str(before + 6))
    tab.get_by_role("radio", name="tokens", exact=True).click()
    settle(tab)
    tokens = tab.get_by_label("Tokens", exact=True)
    wanted = int(tokens.input_value()) // 2
    fill(tab, "Tokens", str(wanted))
    expect(tokens).not_to_have_value(str(2 * wanted))
    got = int(tokens.input_value())
    assert 0.5 * wanted < got <= wanted
    expect(tab.get_by_text(f" rows · {got:,} tokens")).to_be_visible()
    expect(scale).not_to_have_value(str(before + 6))
    tab.get_by_role("radio", name="rows", exact=True).click()
    settle(tab)


def save_another_and_go_back(tab: Page) -> None:
    """A second curriculum is saved, compared with the first, and given up for it in one act."""
    fill(tab, "Rows", "30")
    press(tab, "Save")
    expect(tab.get_by_text("Saved.", exact=True)).to_be_visible()
    settle(tab)
    tab.get_by_role("radio", name="Saved", exact=True).click()
    expect(tab.get_by_text(re.compile(r"^24 rows in common"))).to_be_visible()
    press(tab, "Go back to the second")
    expect(tab.get_by_label("Rows", exact=True).first).to_have_value("24")


def budget_and_export(tab: Page, folder) -> tuple[dict[str, float], list[str]]:
    """Move a share with the keyboard, save, export; returns the shares on screen and the command that is shown."""
    go(tab, "Curriculum")
    expect(tab.get_by_text(NAME).first).to_be_visible()
    budget_on_the_scale_and_in_tokens(tab)
    fill(tab, "Rows", "24")
    slider = tab.get_by_role("slider", name="Share of c1 in %")
    before = float(slider.input_value())
    slider.focus()
    for _ in range(10):  # faster than the page answers: none is lost
        slider.press("ArrowRight")
    expect(tab.get_by_text("Not saved yet.")).to_be_visible()
    settle(tab)
    expect(slider).to_have_value(f"{before + 1:g}")
    fill(tab, "Type the share of c1 in %", f"{before + 2:.1f}")
    expect(slider).to_have_value(f"{before + 2:g}")
    press(tab, "Save")
    expect(tab.get_by_text("Saved.", exact=True)).to_be_visible()
    settle(tab)
    shown = shares(tab)
    assert sum(shown.values()) == pytest.approx(100)
    save_another_and_go_back(tab)
    assert shares(tab) == shown
    press(tab, "Next: export")
    fill(tab, "Folder", str(folder))
    press(tab, "Export")
    expect(tab.get_by_text("rows written to")).to_be_visible()
    return shown, shlex.split(tab.locator("code").filter(has_text="python -m cadc export").inner_text())


@pytest.mark.parametrize("material", [drawn, real])
def test_from_two_files_to_a_curriculum(app, browser, tab, tmp_path, material):
    files = material(tmp_path / "data")
    tab.goto(app.url)
    expect(tab.get_by_role("heading", name="Data", level=1)).to_be_visible()
    make_the_study(tab, files)
    tab = run_the_jobs(app, browser, tab)
    study = app.study("journey")
    unit = shape_capabilities(tab, study)
    see_the_flow(tab)
    shown, command = budget_and_export(tab, tmp_path / "page")

    written = tmp_path / "page" / "trl"
    manifest = json.loads((written / "manifest.json").read_text())
    found = {c["id"]: c for c in manifest["capabilities"]}
    assert found["c1"]["name"] == NAME and unit not in found["c1"]["units"]
    assert found[list(found)[-1]]["units"] == [unit]
    assert {b["capability"]: round(100 * b["share"], 1) for b in manifest["budgets"]} == shown
    lines = (written / "curriculum.jsonl").read_text().splitlines()
    assert len(lines) == manifest["rows_written"] == sum(b["rows"] for b in manifest["budgets"]) == 24
    assert [json.loads(line)["id"] for line in lines] == [row["id"] for row in manifest["rows"]]

    assert command[:5] == ["python", "-m", "cadc", "export", "journey"] and command[-1] == str(written)
    app.run(*command[3:-1], str(tmp_path / "command"))
    for name in ("curriculum.jsonl", "manifest.json"):
        assert (tmp_path / "command" / name).read_bytes() == (written / name).read_bytes(), "two doors, one curriculum"
    app.run("verify", str(written))

    tab.close()
    app.kill()
    app.start()
    with browser.new_page() as back:
        back.set_default_timeout(120_000)
        back.goto(f"{app.url}/curriculum?study=journey")
        for capability, share in shown.items():
            expect(back.get_by_role("slider", name=f"Share of {capability} in %")).to_have_value(f"{share:g}")
        expect(back.get_by_text(NAME).first).to_be_visible()
    assert latest(read_decisions(study), "rename") == {"capability": "c1", "name": NAME}

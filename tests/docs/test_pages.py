"""Pages of the documentation: links lead somewhere, the first ones stay short, a number stands in one place."""

import importlib
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.lab import claims

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT / name for name in subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, check=True,
    capture_output=True, text=True).stdout.split() if (ROOT / name).exists())
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _anchors(text: str) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", head).lower()).replace(" ", "-")
            for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_its_heading(page):
    text, broken = page.read_text(encoding="utf-8"), []
    for link in LINK.findall(text):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        aim = (page.parent / path).resolve() if path else page
        if not aim.exists() or not aim.is_relative_to(ROOT):
            broken.append(link)
        elif anchor and anchor not in _anchors(aim.read_text(encoding="utf-8")):
            broken.append(f"{link} (no such heading)")
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize(("page", "words"), [("README.md", 1200), ("docs/architecture.md", 900),
                                             ("CONTRIBUTING.md", 800)])
def test_first_pages_stay_short(page, words):
    assert len((ROOT / page).read_text(encoding="utf-8").split()) <= words


def test_every_page_is_reached_from_the_readme():
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in LINK.findall(page.read_text(encoding="utf-8")):
            aim = (page.parent / link.partition("#")[0]).resolve()
            if "://" not in link and aim.exists():
                waiting += sorted(aim.glob("*.md")) if aim.is_dir() else [aim]
    lost = [str(page.relative_to(ROOT)) for page in PAGES if page.is_relative_to(ROOT / "docs") and page not in seen]
    assert not lost, "\n".join(lost)


SHOWN = {"oracles": ("oracle", "oracle-rounds"), "quick": ("quick", "quick-unfiltered"),
         "studio": ("cadc-mixed", "studio-unfiltered"), "whitened gradients alone": ("whitened",),
         "embedding alone": ("embedding",), "words alone": ("words",),
         "behind the same filter": ("random-filtered",), "no filter at all": ("random",)}
"""Rows of README's table → the arms whose accuracies they hold."""


def test_numbers_of_the_readme_are_those_that_its_command_prints():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    kept = ROOT / "benchmarks" / "claims"
    of_demo = claims.tables([kept / "demo.json"]).splitlines()
    of_all = claims.tables(sorted(kept.glob("*.json"))).replace("+", "").replace("**", "")
    numbers = re.compile(r"\d+\.\d ± \d+\.\d")
    rows = [line for line in lines if line.startswith("|") and numbers.search(line)]
    assert len(rows) == len(SHOWN)
    for row, (name, arms) in zip(rows, SHOWN.items(), strict=True):
        own = " ".join(line for line in of_demo if line.startswith(tuple(f"| `{arm}` |" for arm in arms)))
        assert name in row and set(numbers.findall(row)) <= set(numbers.findall(own)), row
    told = re.findall(r"(−?\d\.\d) \((−?\d\.\d) to (\d\.\d)\)", "\n".join(lines))
    assert len(told) == 7 and [one for one in told if "{} ({} to {})".format(*one).replace("−", "-")
                               not in of_all] == []


def test_tables_that_contributing_names_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`(cadc[\w.]*):(\w+)`", text)
    assert len(named) >= 5
    assert [f"{module}:{name}" for module, name in named if not hasattr(importlib.import_module(module), name)] == []
    paths = re.findall(r"`(cadc/[\w/.]*|tests/[\w/.]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_paths_of_the_architecture_exist():
    paths = re.findall(r"`(cadc/[\w/.]+)`", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))
    assert len(paths) > 6 and [path for path in paths if not (ROOT / path).exists()] == []


def test_decisions_are_numbered_once_and_without_a_gap():
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_version_and_licence_are_the_same_everywhere():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{cited["version"]}"' in project and f'license = "{cited["license"]}"' in project
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert cited["references"][0]["identifiers"][0]["value"] == "arXiv:2510.00040"


def test_what_guards_a_decision_exists():
    """Tests and files that a decision names; a test by its function or its file."""
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    texts = [path.read_text(encoding="utf-8") for path in tests]
    known = {path.stem for path in tests} | {name for text in texts for name in re.findall(r"def (test_\w+)", text)}
    gone = []
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        gone += [f"{page.name}: {path}" for path in re.findall(r"`((?:tests|cadc|benchmarks|pages)/[\w/]+\.py)`", text)
                 if not (ROOT / path).exists()]
        gone += [f"{page.name}: {name}" for name in re.findall(r"`(test_\w+)`", text) if name not in known]
    assert not gone, "\n".join(gone)

"""How pages are built: functions of what they are given, one module that touches the session, short files."""

import ast
from pathlib import Path

import pytest

PAGES = Path(__file__).resolve().parents[2] / "pages"
FILES = sorted(PAGES.rglob("*.py"))


def assigned(tree: ast.Module) -> set[str]:
    """Names that a page gives to values while it runs; constants are written in capitals, `log` is one too."""
    found = {name.id for statement in tree.body if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
             for name in ast.walk(statement) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    return {name for name in found if name != name.upper()} - {"log"}


def read_inside(function: ast.FunctionDef, names: set[str]) -> set[str]:
    """Which of these a function reads without having been given them."""
    own = {a.arg for f in ast.walk(function) if isinstance(f, ast.FunctionDef | ast.Lambda)
           for a in (*f.args.args, *f.args.kwonlyargs)}
    own |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and n.id in names - own}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PAGES)))
def test_functions_of_a_page_read_only_what_they_are_given(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = assigned(tree)
    assert {f.name: read for f in tree.body if isinstance(f, ast.FunctionDef)
            if (read := read_inside(f, names))} == {}


def test_the_check_above_sees_a_function_that_reads_its_module():
    tree = ast.parse("store = open()\nLIMIT = 3\ndef rows(study):\n    return store.rows(study, LIMIT)\n")
    assert assigned(tree) == {"store"} and read_inside(tree.body[-1], {"store"}) == {"store"}


def test_only_one_module_touches_the_session():
    uses = {str(p.relative_to(PAGES)): p.read_text(encoding="utf-8").count("session_state") for p in FILES}
    lines = sum(len(p.read_text(encoding="utf-8").splitlines()) for p in FILES)
    assert {name for name, count in uses.items() if count} == {"_parts/tab.py"}
    assert 1000 * sum(uses.values()) <= 2 * lines


def test_a_page_fits_on_a_few_screens():
    assert {p.name for p in PAGES.glob("[0-9]_*.py") if len(p.read_text(encoding="utf-8").splitlines()) > 150} == set()

"""How views are built: a figure per function, nothing else beside figures; no view knows the browser or SQL."""

import ast
from pathlib import Path

import pytest

VIEWS = Path(__file__).resolve().parents[2] / "cadc" / "views"
FIGURES = sorted(p for p in (VIEWS / "figures").glob("*.py") if p.name != "__init__.py")


@pytest.mark.parametrize("path", FIGURES, ids=lambda p: p.stem)
def test_every_public_function_beside_figures_returns_one(path):
    functions = [f for f in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(f, ast.FunctionDef)]
    returns = {f.name: ast.unparse(f.returns) for f in functions if f.returns and not f.name.startswith("_")}
    echarts = {"sankey": "dict[str, Any]"}
    assert returns and {n: r for n, r in returns.items() if r != "go.Figure" and echarts.get(n) != r} == {}


@pytest.mark.parametrize("path", FIGURES, ids=lambda p: p.stem)
def test_figures_know_of_this_package_only_colours_and_their_frame(path):
    imports = {n.module for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)}
    assert {m for m in imports if m and m.startswith("cadc")} <= {"cadc.views.palette", "cadc.views.figures.frame"}


def test_no_view_imports_streamlit_or_the_database():
    for path in VIEWS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not {n for n in names if n.split(".")[0] in ("streamlit", "duckdb", "pages") or n == "cadc.store"}, path

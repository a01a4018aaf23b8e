"""Pages are opened with AppTest on real studies under a cache root of their own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from benchmarks.synthesise import synthesise
from cadc.study import Study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nothing_stays_open():
    """Databases and mapped scores of one test are let go before the next."""
    yield
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="session")
def finished_cache(tmp_path_factory) -> Path:
    """A cache root with one finished study `trial`: 300 rows, 8 units, T = 3."""
    root = tmp_path_factory.mktemp("finished")
    synthesise(root, rows=300, units=8, checkpoints=3, samples_per_unit=6, seed=1, name="trial")
    return root


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """A cache root without any study."""
    monkeypatch.setenv("CADC_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def study(finished_cache, tmp_path, monkeypatch) -> Study:
    """A private copy of the finished study, with no decisions made; the pages see only it."""
    shutil.copytree(finished_cache, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CADC_CACHE", str(tmp_path))
    return Study.open("trial")


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """`open_page("3_capabilities")`: the page, run once and free of exceptions."""
    def opened(name: str, **query: str) -> AppTest:
        page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=180)
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        assert not page.exception, page.exception
        return page
    return opened

"""The app as a whole: its table of pages, and the one place where errors are shown."""

import subprocess
import sys
from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]


def test_app_opens_on_the_data_page(tmp_path, monkeypatch):
    monkeypatch.setenv("CADC_CACHE", str(tmp_path))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert not app.exception and [t.value for t in app.title] == ["Data"]


def test_database_held_by_another_process_is_one_message_and_no_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("CADC_CACHE", str(tmp_path))
    script = "import sys; from cadc.store import Store; s = Store(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == "held\n"
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
        other.communicate("\n")
    assert not app.exception and app.error
    assert any("held by another process" in c.value for c in app.code)
    again = app.run()
    assert not again.error and not again.exception


def test_every_page_of_the_table_is_a_file():
    text = (ROOT / "app.py").read_text(encoding="utf-8")
    listed = {part.split('"')[0] for part in text.split('st.Page("')[1:]}
    assert listed == {f"pages/{p.name}" for p in (ROOT / "pages").glob("[0-9]_*.py")}

"""Where the files of the app lie."""

from pathlib import Path

from cadc.errors import JobError


def app_folder() -> Path:
    """Folder with `app.py`, `pages/` and `.streamlit/`: beside the package in a checkout, `cadc/_app` in a wheel.

    Raises JobError where neither holds them.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_app", package.parent):
        if (folder / "app.py").is_file() and (folder / "pages" / "__init__.py").is_file():
            return folder
    raise JobError(f"app.py and pages/ are neither in {package / '_app'} nor in {package.parent}. "
                   "Install the package again, or run from a checkout.")

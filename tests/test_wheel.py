"""An installed wheel does what a checkout does, from any folder, and takes no name but `cadc`."""

import ast
import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT, check=True,
                   capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """Its files, unpacked as pip does."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def _run(installed: Path, folder: Path, *arguments: str) -> str:
    """Standard output of Python with the wheel's files, in another folder than the code's."""
    environment = {k: v for k, v in os.environ.items() if k != "CADC_CACHE"}
    environment |= {"PYTHONPATH": str(installed), "CADC_CACHE": str(folder / "cache")}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _pins(file: str) -> dict[str, str]:
    """Package → version, of a file of requirements."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins}


def _imported() -> set[str]:
    """Top-level names that the product imports, its own and Python's left aside. Scripts that travel with an export run
    in a trainer's environment."""
    found = set()
    product = [path for path in (ROOT / "cadc").rglob("*.py") if path.parent != ROOT / "cadc" / "export" / "scripts"]
    for path in (ROOT / "app.py", *product, *(ROOT / "pages").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"cadc", "pages"}


def test_what_is_imported_is_required_and_what_is_required_is_imported():
    homes = packages_distributions()
    imported = {canonicalize_name(homes[name][0]) for name in _imported() if name in homes}
    required, extras = ({name for file in files for name in _pins(file)}
                        for files in (("requirements.txt",), ("requirements-ray.txt", "requirements-quantization.txt")))
    assert imported - required - extras == set() and required - imported == set()


def test_the_only_top_level_name_is_cadc(wheel):
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"cadc"}
    assert "cadc/export/scripts/trl_train.py" in zipfile.ZipFile(wheel).namelist(), "scripts that travel with exports"


def test_every_tracked_file_of_the_app_and_the_library_is_in_it(installed):
    tracked = subprocess.run(["git", "ls-files", "cadc", "pages", ".streamlit", "app.py"], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout.split()
    there = [name if name.startswith("cadc/") else f"cadc/_app/{name}" for name in tracked if (ROOT / name).exists()]
    assert len(there) > 100 and [name for name in there if not (installed / name).is_file()] == []


def test_it_asks_for_every_pinned_package_and_allows_the_pin(wheel):
    archive = zipfile.ZipFile(wheel)
    about = message_from_bytes(archive.read(next(n for n in archive.namelist() if n.endswith("/METADATA"))))
    asked = {canonicalize_name(r.name): r for r in map(Requirement, about.get_all("Requires-Dist")) if r.marker is None}
    pins = _pins("requirements.txt")
    assert asked.keys() == pins.keys()
    assert all(asked[name].specifier.contains(version) for name, version in pins.items())


def test_command_model_and_app_are_found_from_another_folder(installed, tmp_path):
    command = ("import sys, importlib.metadata as m; (c,) = m.entry_points(group='console_scripts', name='cadc');"
               "sys.argv = ['cadc', '--help']; c.load()()")
    assert "demo" in _run(installed, tmp_path, "-c", command)
    found = _run(installed, tmp_path, "-c", "from cadc.demo import MODEL_DIR; print(MODEL_DIR / 'model.safetensors');"
                 "from cadc.commands.place import app_folder; print(app_folder() / 'app.py')").split()
    assert all(Path(path).is_file() and Path(path).is_relative_to(installed) for path in found)


def test_the_installed_app_opens(installed, tmp_path):
    script = ("import sys; from streamlit.testing.v1 import AppTest; from cadc.commands.place import app_folder;"
              "sys.path.insert(0, str(app_folder()));"  # as `streamlit run` does
              "app = AppTest.from_file(str(app_folder() / 'app.py'), default_timeout=120).run();"
              "print([t.value for t in app.title], len(app.exception), len(app.error))")
    assert _run(installed, tmp_path, "-c", script).strip().endswith("['Data'] 0 0")

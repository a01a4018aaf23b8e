"""The tables of the documentation, written from what the code registers: `make docs`.

A page holds a block between `<!-- table: NAME -->` and `<!-- end -->`; NAME is a key of TABLES. Another table is one
function (or `entries` of a registry) and one line there.
"""

import dataclasses
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from cadc.cli import COMMANDS
from cadc.curation import PRESETS
from cadc.discovery.clusterers import CLUSTERERS
from cadc.estimate.devices import DEVICES
from cadc.evaluation.arms import ARMS
from cadc.export.formats import FORMATS
from cadc.scores.columns import COLUMNS
from cadc.signals import SIGNALS
from cadc.study import StudyConfig
from cadc.study.jobs import JOBS, Job
from cadc.study.meanings import meanings
from cadc.study.registry import Named
from cadc.views.glossary import TERMS
from cadc.views.way import EVERY

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?P<open><!-- table: (?P<name>[\w-]+) -->\n).*?(?P<close><!-- end -->)", re.DOTALL)
INPUTS = {"pool": "pool", "images": "pool", "target": "target", "model": "model"}
"""Settings that say where something lies → what a job that reads it has in `Job.files`."""


def table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; a cell shows bars and tags as they are."""
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *([_cell(str(cell)) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cell(text: str) -> str:
    """Between backticks nothing but a bar needs care."""
    parts = text.replace("|", r"\|").split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


def entries(registry: Mapping[str, Named], heading: str) -> str:
    """Name and meaning of everything that a registry holds."""
    return table((heading, "what it is"), ((f"`{entry.name}`", entry.about) for entry in registry.values()))


def settings() -> str:
    """Every setting of a study, and which jobs read it: a changed one recomputes these and what comes after them."""
    about = meanings(StudyConfig)
    return table(("key", "default", "meaning", "read by"),
                 ((f"`{field.name}`", _default(field), about[field.name], _names(_readers(field.name)))
                  for field in dataclasses.fields(StudyConfig)))


def jobs() -> str:
    """Every job in the order in which they run."""
    return table(("job", "what it does", "reads", "when"),
                 ((f"`{job.name}`", job.about, ", ".join((*job.files, *job.after)), _when(job))
                  for job in JOBS.values()))


def columns() -> str:
    """Every column of the scores."""
    return table(("column", "shape", "written by", "what it is"),
                 ((f"`{c.name}`", c.shape, f"`{c.job}`", c.about) for c in COLUMNS.values()))


def devices() -> str:
    """What an estimate can be made for without having it."""
    return table(("`--device`", "device", "peak TFLOP/s", "memory GB"),
                 ((f"`{name}`", d.name, f"{d.tflops:g}", f"{d.memory_gb:g}") for name, d in DEVICES.items()))


def commands() -> str:
    """Every command with an example."""
    return table(("command", "what it does", "example"),
                 ((f"`{c.name}`", c.about, f"`cadc {c.example}`") for c in COMMANDS.values()))


def glossary() -> str:
    """Every word of the pages, where the method has it, and on which pages it stands."""
    def stands(word: str) -> str:
        return ", ".join(f"[{place.name}](pages/{place.name.lower()}.md)" for place in EVERY.values()
                         if word in place.terms)

    return table(("word", "what it means", "exactly", "pages"),
                 ((term.name, term.about, f"[§{term.section}](method.md#{SECTIONS[term.section]})", stands(term.name))
                  for term in TERMS.values()))


def _sections() -> dict[int, str]:
    """Number of each section of docs/method.md → its anchor, as GitHub makes it."""
    heads = re.findall(r"^## ((\d+)\. .+)$", (ROOT / "docs" / "method.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head, number in heads}


SECTIONS = _sections()
TABLES: dict[str, Callable[[], str]] = {
    "clusterers": lambda: entries(CLUSTERERS, "method"),
    "arms": lambda: entries(ARMS, "arm"),
    "columns": columns,
    "commands": commands,
    "devices": devices,
    "glossary": glossary,
    "formats": lambda: entries(FORMATS, "format"),
    "jobs": jobs,
    "presets": lambda: entries(PRESETS, "preset"),
    "settings": settings,
    "signals": lambda: entries(SIGNALS, "signal"),
}


def _default(field: dataclasses.Field) -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    return "empty" if field.default == "" else f"`{field.default}`"


def _readers(setting: str) -> list[str]:
    return [job.name for job in JOBS.values() if setting in job.settings or INPUTS.get(setting) in job.files]


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


def _when(job: Job) -> str:
    usual = "always, needed by none" if job.advisory else "always"
    asked = not job.core or job.optional(StudyConfig(pool="p", target="t", model="m"))
    return "on request" if asked else usual if job.wanted is Job.wanted else "if asked for"


def pages() -> list[Path]:
    """Pages that may hold a table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def renewed(text: str) -> str:
    """A page with its blocks written anew. Raises KeyError for a block that nobody writes."""
    return BLOCK.sub(lambda found: found["open"] + TABLES[found["name"]]() + found["close"], text)


def main() -> int:
    """Write every page whose tables have changed; prints which."""
    for page in pages():
        old = page.read_text(encoding="utf-8")
        new = renewed(old)
        if new != old:
            page.write_text(new, encoding="utf-8")
            print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())

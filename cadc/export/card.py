"""README.md of an export: what is in it, how it was chosen, what is not in it and why, how to train, how to check.

Its front matter makes `datasets.load_dataset(FOLDER)` and the hub's viewer read the rows in their order. Texts of a
person or a pool (names of capabilities, values of columns) stand in code spans: a card is rendered as Markdown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cadc.export.columns import CAPABILITY, STAGE
from cadc.export.outline import Outline
from cadc.export.recipe import MIXED, ONE_RUN
from cadc.export.rowset import by_stage

CARD = "README.md"
SHOWN = 20
"""Values, names and reasons that are listed; manifest.json has all."""


def card(outline: Outline, training: str, head: Mapping[str, Any], place: str) -> str:
    """The text. training: `Format.training`; head: manifest.json without its lists; place: where the pictures lie."""
    return "\n".join([*_front(outline, head), "", *_what(outline, head, place), *_chosen(head), *_left(head),
                      *_columns(outline, head), *_trained(outline, head, training), *_checked(outline)]) + "\n"


def _mixed(head: Mapping[str, Any]) -> bool:
    """Whether the rows are one shuffled stage."""
    return bool(head.get("curation", {}).get("staging") == "mix")


def _front(outline: Outline, head: Mapping[str, Any]) -> list[str]:
    """YAML for `load_dataset` and the hub: all rows in order as `train`, stages as splits of a second configuration."""
    order = ("One mixed stage: the rows were shuffled once" if _mixed(head) else
             "The order of the rows is the point: load_dataset keeps it, a trainer's sampler may not")
    text = ["---", f"# {order} (below).", "configs:", "- config_name: default", "  default: true", "  data_files:",
            "  - split: train"]
    text += _paths((outline.loads,) if outline.loads else outline.data)
    names = ["default"]
    if not outline.loads:
        names.append("stages")
        text += ["- config_name: stages", "  data_files:"]
        for split, files in by_stage(outline.stages):
            text += [f"  - split: {split}", *_paths(files)]
    if outline.types:
        text += ["dataset_info:  # told, so that nobody guesses them from the first rows"]
        for name in names:
            text += [f"- config_name: {name}", "  features:", *outline.types]
    return [*text, "---"]


def _paths(files: Sequence[str]) -> list[str]:
    return [f"    path: {files[0]}"] if len(files) == 1 else ["    path:", *(f"    - {name}" for name in files)]


def _what(outline: Outline, head: Mapping[str, Any], place: str) -> list[str]:
    """The rows, stage by stage."""
    lines = ["# Training curriculum", "",
             f"{outline.rows} rows in training order, written by CADC Studio for `{outline.format}`. `manifest.json` "
             "says how each was chosen and gives its scores.", "",
             "| stage | files | rows | first – last row, from 0 |", "|---|---|---|---|"]
    for stage in outline.stages:
        files = ", ".join(f"`{name}`" for name in (stage.files or (stage.file,))[:3])
        more = " …" if len(stage.files) > 3 else ""
        lines.append(f"| {stage.stage} | {files}{more} | {stage.last - stage.first} | {stage.first} – "
                     f"{stage.last - 1} |")
    files = ", ".join(f"`{name}`" for name in outline.data[:3]) + (" …" if len(outline.data) > 3 else "")
    if outline.odd:
        place += (f" {outline.odd} of them are turned by their EXIF data, partly transparent, of 16 bits, for print, "
                  "or moving. " + _odd(outline))
    return [*lines, "", f"All rows in order: {files}. {place}", "",
            "`datasets.load_dataset` of this folder reads " + (
                f"`{outline.loads}`, in order (split `train`)." if outline.loads else
                "all rows in order (split `train`); with the name `stages`, one split a stage.") + (
                "" if head["restorable"] or outline.loads else " It knows one type a column: rows of the pool that do "
                "not keep to that end it with an error; read their lines with `json`."), ""]


def _odd(outline: Outline) -> str:
    """What became of pictures that trainers would see otherwise than the study."""
    if not outline.anew:
        return ("They are left as they came, and many trainers show them otherwise than the study saw them: upright "
                "RGB on white. An export for a trainer writes them so.")
    where = ", in `images/`." if outline.how == "absolute" else "."
    return f"Trainers would show them otherwise: they are written as the study saw them, upright RGB, as PNG{where}"


def _chosen(head: Mapping[str, Any]) -> list[str]:
    """How the rows were chosen, in the sentences of the study."""
    if "preset" not in head:
        return []
    counts, discovery = head.get("counts", {}), head.get("discovery", {})
    lines = ["## How they were chosen", "",
             f"Preset `{head['preset']}`, {counts.get('rows', head['rows_written'])} of {counts.get('pool', '?')} "
             f"scored pool rows; capabilities by {discovery.get('method', '?')} on {_signal(discovery)}."]
    lines += [f"* {_code(one['name'])}: {len(one['units'])} target units" for one in head["capabilities"][:SHOWN]]
    lines += [f"* … {len(head['capabilities']) - SHOWN} more"] if len(head["capabilities"]) > SHOWN else []
    return [*lines, "", *(f"* {sentence}" for sentence in head.get("sentences", [])), ""]


def _signal(discovery: Mapping[str, Any]) -> str:
    """What the map was drawn from."""
    name = discovery.get("signal", "?")
    return f"{name} gradients" if name in ("plain", "grounded") else f"the {name}"


def _left(head: Mapping[str, Any]) -> list[str]:
    """What is not in it: set aside when read, left out by the run, by the curriculum, by this trainer."""
    lines = ["## What is not in it, and why", ""]
    reading = head.get("pool_rows")
    if reading:
        lines += [f"* Set aside when the pool was read: {reading['set_aside']} of {reading['rows']} rows"
                  f"{_reasons(reading['kinds'])}"]
    run = ((head.get("fell_out") or {}).get("pool") or {}).get("left_out")
    if run is not None:
        lines += [f"* Left out in the run: {sum(run.values())} rows{_reasons(run)}"]
    lines += [f"* Passed over by the curriculum: {_reasons(head['counts']['left_out'], '')}"
              ] if head.get("counts", {}).get("left_out") else []
    refused = head["not_written"]
    lines += [f"* Chosen, but this trainer cannot hold them: {refused['rows']} rows{_reasons(refused['reasons'])}"]
    if head["changed_for_the_trainer"]:
        lines += [f"* Changed for this trainer: {head['changed_for_the_trainer']} rows (see below)"]
    return [*lines, ""]


def _reasons(reasons: Mapping[str, int], before: str = ": ") -> str:
    """Reasons with their counts, most frequent first."""
    found = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{_code(why)} {number}" for why, number in found[:SHOWN]]
    return before + ", ".join(listed) + (" …" if len(found) > SHOWN else "") if found else ""


def _columns(outline: Outline, head: Mapping[str, Any]) -> list[str]:
    """The other columns of the pool's rows."""
    found = head["columns"]
    lines = ["## Columns", ""]
    if head["restorable"]:
        lines += [f"* `{STAGE}`, `{CAPABILITY}`: stage (from 1) and capability of each row; trainers pass over them."]
    if found["written"]:
        lines += [f"* From the pool: {', '.join(_code(name) for name in found['written'])}."]
    lines += [f"* Left: {_code(name)}: {why}." for name, why in found["left"].items()]
    for name, values in found["licences"].items():
        lines += [f"* Licences in {_code(name)}{_reasons(values)}."]
    if not found["licences"]:
        lines += ["* No column of the pool names a licence: rows have the licence of where they came from."]
    if outline.marked:
        how = "turn by turn" if head["restorable"] else "in the pool's own way, which not every trainer reads"
        lines += [f"* {outline.marked} rows hold answers that are not to be learnt from; they are marked {how}."]
    return [*lines, ""]


def _trained(outline: Outline, head: Mapping[str, Any], training: str) -> list[str]:
    return ["## How to train", "", training.strip("\n"), "",
            "### The recipe", "", outline.recipe.sentences(outline.rows), "",
            "The study takes the mean over the answer tokens of a row, then over the rows of a batch; trainers take "
            "the mean over all answer tokens of a batch, so rows with long answers weigh more there.", "",
            "### Order", "",
            "Trainers shuffle unless told otherwise. Packing, grouping by length, splits and filters reorder or drop "
            "rows; any row that a trainer drops (too long, a picture that fails) moves all rows after it. With several "
            "GPUs a sequential sampler deals rows in turn to them: stage borders hold per global batch.", "",
            (MIXED if _mixed(head) else ONE_RUN).replace("\n", " "), ""]


def _checked(outline: Outline) -> list[str]:
    return ["## How to check it", "",
            "`python -m cadc verify FOLDER` compares every file with `manifest.json`, opens every picture, and reads "
            "the rows back: turns, pictures, marks, order and stages. It needs CADC Studio and not the study.", "",
            f"Digests are in `manifest.json`: {len(outline.data)} file(s) with all rows, and every picture file."]


def _code(text: object) -> str:
    """A text of somebody else as a code span of one line, whatever it holds."""
    line = " ".join(str(text).replace("`", "'").split()) or " "
    return f"`{line if len(line) <= 80 else line[:79] + '…'}`"

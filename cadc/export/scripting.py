"""Pieces of the scripts and configs that go with the rows."""

import json
from pathlib import Path

from cadc.export.outline import Outline
from cadc.export.recipe import Recipe

_SCRIPTS = Path(__file__).with_name("scripts")
FROM = "# Written by CADC Studio; README.md and manifest.json beside it say how the rows were chosen."


def script(name: str) -> str:
    """A script that travels as it stands in `cadc/export/scripts`."""
    return (_SCRIPTS / name).read_text(encoding="utf-8")


def run_sh(outline: Outline, lines: str, *, about: str) -> str:
    """run.sh: changes into its own folder, knows the model, then does `lines`."""
    return f"""#!/bin/sh
{FROM}
# {about}
set -eu
for name in MODEL LLAVA; do  # folders are named from where you are
    eval "given=\${{$name:-}}"
    if [ -d "$given" ]; then given="$(cd "$given" && pwd)"; export "$name=$given"; fi
done
cd "$(dirname "$0")"  # every path in this folder is relative to it, OUTPUT too
{model_variable(outline.recipe)}
OUTPUT="${{OUTPUT:-trained}}"
{lines.strip()}
"""


def model_variable(recipe: Recipe) -> str:
    """The model: the study's, unless the variable says otherwise. A local folder's place is not written down."""
    if recipe.local:
        return f'MODEL="${{MODEL:?the study used the local folder {recipe.model}: set MODEL to where it lies here}}"'
    return f'MODEL="${{MODEL:-{recipe.model}}}"'


def recipe_json(outline: Outline) -> str:
    """recipe.json: the recipe and the files to read."""
    numbers = outline.recipe.for_rows(outline.rows, mixed=outline.mixed) | {
        "data": list(outline.data), "half": outline.recipe.half}
    if outline.recipe.local:
        numbers["model"] = ""
    return json.dumps(numbers, indent=1) + "\n"


def longest(recipe: Recipe) -> int:
    """A length limit that cuts no row: the study took none longer than its own limit; twice that leaves room for a
    trainer that writes out pictures with more tokens."""
    return 2 * recipe.max_tokens


def passes(outline: Outline) -> str:
    """A comment about steps of a trainer."""
    return f"{outline.recipe.passes_of_a_trainer(outline.rows):.1f} passes over {outline.rows} rows"


def in_order(outline: Outline, kept: str, anew: str) -> str:
    """`kept` where the order of the file is to be kept, `anew` where a mixed stage is shuffled anew in every pass."""
    return anew if outline.mixed else kept


def yes(condition: bool) -> str:
    """A truth value in YAML and on command lines."""
    return "true" if condition else "false"


def adapts(recipe: Recipe, part: str) -> bool:
    """Whether the study had adapters in a part of the model."""
    return part in recipe.targets.split("+")


def last_layers(recipe: Recipe) -> str:
    """A remark where the study adapted the last layers only and the trainer has no such switch."""
    return "" if recipe.layers == "all" else f" The study adapted {recipe.layers} layers only; this trainer adapts all."

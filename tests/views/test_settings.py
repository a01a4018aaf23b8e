"""Help texts come from the settings themselves."""

import dataclasses
from dataclasses import dataclass

from cadc.study import StudyConfig
from cadc.views.settings import (
    CHOOSES,
    MEASURES,
    SHOWN,
    field_help,
    preset_help,
    preset_names,
    setting_table,
)


def test_every_setting_of_a_study_says_what_it_does():
    helps = field_help(StudyConfig)
    assert set(helps) == {f.name for f in dataclasses.fields(StudyConfig)} and all(helps.values())
    assert helps["lora_rank"] == "Rank r of every LoRA matrix."


def test_fields_without_a_docstring_are_left_out():
    @dataclass
    class Mixed:
        """Of the class."""

        one: int
        two: int = 3
        """Of two,
        in two lines."""

        def three(self) -> None:
            """Of a method."""

    assert field_help(Mixed) == {"two": "Of two, in two lines."}


def test_settings_are_listed_in_words(tmp_path):
    table = setting_table(StudyConfig(pool="p", target="t", model="m", lora_rank=4)).set_index("setting")["value"]
    assert table["LoRA rank r"] == "4" and len(table) == len(SHOWN)


def test_every_preset_has_a_line_for_each_of_its_helps():
    assert set(preset_names()) == set(CHOOSES) == set(MEASURES)
    assert preset_help(MEASURES, "How.").startswith("How. studio: against single target questions")
    assert preset_help({"paper": "x"}) == "paper: x."

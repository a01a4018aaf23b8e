"""Help texts come from the settings themselves."""

import dataclasses
from dataclasses import dataclass

from cadc.study import StudyConfig
from cadc.views.settings import SHOWN, field_help, setting_table


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

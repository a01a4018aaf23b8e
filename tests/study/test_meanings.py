"""What settings mean is written once, below each."""

import dataclasses
from dataclasses import dataclass

from cadc.study import StudyConfig
from cadc.study.meanings import meanings


def test_every_setting_of_a_study_says_what_it_does():
    helps = meanings(StudyConfig)
    assert set(helps) == {f.name for f in dataclasses.fields(StudyConfig)} and all(helps.values())
    assert helps["lora_rank"] == "Rank r of every LoRA matrix."


def test_fields_without_a_docstring_mean_nothing():
    @dataclass
    class Mixed:
        """Of the class."""

        one: int
        two: int = 3
        """Of two,
        in two lines."""

        def three(self) -> None:
            """Of a method."""

    assert meanings(Mixed) == {"one": "", "two": "Of two, in two lines."}

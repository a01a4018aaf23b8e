"""Settings as a person reads them."""

from cadc.curation import PRESETS
from cadc.study import StudyConfig
from cadc.views.settings import SHOWN, preset_help, preset_names, setting_table


def test_settings_are_listed_in_words(tmp_path):
    table = setting_table(StudyConfig(pool="p", target="t", model="m", lora_rank=4)).set_index("setting")["value"]
    assert table["LoRA rank r"] == "4" and len(table) == len(SHOWN)


def test_every_preset_has_a_line_for_each_of_its_helps():
    assert preset_names()[:3] == ("quick", "studio", "paper")
    assert all(one.about and one.measures for one in PRESETS.values())
    text = preset_help(lambda one: one.measures, "How.")
    assert text.startswith("How. quick: against single target questions")
    assert "studio: against single target questions" in text and "paper: against the mean" in text
    assert preset_help(lambda one: "x" if one.name == "paper" else "") == "paper: x."

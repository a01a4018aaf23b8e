"""Settings as a person reads them."""

from cadc.curation import PRESETS
from cadc.study import StudyConfig
from cadc.views.settings import SHOWN, nearness, preset_help, preset_names, setting_table


def test_settings_are_listed_in_words(tmp_path):
    table = setting_table(StudyConfig(pool="p", target="t", model="m", lora_rank=4)).set_index("setting")["value"]
    assert table["LoRA rank r"] == "4" and len(table) == len(SHOWN)


def test_a_study_without_gradients_lists_no_setting_of_theirs_before_they_are_asked_for():
    config = StudyConfig(pool="p", target="t", model="m", preset="quick")
    without, asked = (set(setting_table(config, jobs)["setting"]) for jobs in ((), ("warmup",)))
    assert SHOWN["judges"] in without and SHOWN["checkpoints"] not in without
    assert asked - without >= {SHOWN["checkpoints"], SHOWN["warmup_share"]} and SHOWN["grounded"] not in asked


def test_how_near_is_measured_names_gradients_only_where_they_are():
    config = StudyConfig(pool="p", target="t", model="m", nearness="whitened+embedding")
    assert nearness(config, gradients=True).endswith("the mean of 2 signals on one scale: whitened, embedding.")
    assert nearness(config, gradients=False).endswith("is measured by embedding.")


def test_every_preset_has_a_line_for_each_of_its_helps():
    assert preset_names()[:3] == ("quick", "studio", "paper")
    assert all(one.about and one.measures for one in PRESETS.values())
    text = preset_help(lambda one: one.measures, "How.")
    assert text.startswith("How. quick: against single target questions")
    assert "studio: against single target questions" in text and "paper: against the mean" in text
    assert preset_help(lambda one: "x" if one.name == "paper" else "") == "paper: x."

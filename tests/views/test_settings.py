"""Settings as a person reads them."""

from cadc.curation import PRESETS
from cadc.study import StudyConfig
from cadc.views.settings import (
    ASKED,
    GROUPS,
    SHOWN,
    defaults,
    kept_note,
    nearness,
    preset_help,
    preset_names,
    setting_table,
)


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


def test_every_setting_is_asked_for_or_stands_in_one_group():
    grouped = [name for group in GROUPS for name in group.settings]
    assert sorted([*ASKED, *grouped]) == sorted(StudyConfig.__dataclass_fields__)
    assert all(group.about.endswith(".") for group in GROUPS)
    assert {group.name.partition(":")[0] for group in GROUPS} >= {"Data", "Model", "Method"}


def test_defaults_as_they_are_typed_change_nothing():
    base = {"pool": "p", "target": "t", "model": "m"}
    assert StudyConfig.from_settings(base, defaults()) == StudyConfig(**base)


def test_what_was_changed_is_said():
    typed = defaults()
    assert kept_note(typed) == f"All {len(typed)} other settings keep their defaults."
    assert kept_note(typed | {"checkpoints": " 2 ", "seed": "0"}) == (
        f"Changed: checkpoints 2. The other {len(typed) - 1} settings keep their defaults.")

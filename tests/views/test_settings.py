"""Settings as a person reads them."""

from cadc.study import StudyConfig
from cadc.views.settings import SHOWN, setting_table


def test_settings_are_listed_in_words(tmp_path):
    table = setting_table(StudyConfig(pool="p", target="t", model="m", lora_rank=4)).set_index("setting")["value"]
    assert table["LoRA rank r"] == "4" and len(table) == len(SHOWN)

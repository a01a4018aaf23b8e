"""The lights above the map: a colour never without a word, a word never without its number."""

import pytest

from cadc.discovery import Stability
from cadc.views.lights import FAIR, GOOD, OPEN, POOR, lights, rival_light, stability_light, transfer_light
from cadc.views.measured import TransferView


def drawn_again(*aris: float) -> Stability:
    return Stability(mean_ari=sum(aris) / len(aris), aris=aris, ks=(3, 5, 4)[:len(aris)])


def measured(area: float, p: float, *, drawable: bool = True) -> TransferView:
    return TransferView(ready=True, sentence="", area=area, p=p, drawable=drawable)


@pytest.mark.parametrize(("ari", "level"), [(0.86, GOOD), (0.8, GOOD), (0.7, FAIR), (0.3, POOR), (-0.1, POOR)])
def test_stability_stands_with_its_number(ari, level):
    light = stability_light(drawn_again(ari, ari))
    assert light.level == level and f"{abs(ari):.2f}, K 3 … 5" in light.sentence and light.anchor == "stability"


@pytest.mark.parametrize(("ari", "level", "word"), [(0.2, GOOD, "no"), (0.5, FAIR, "in part"),
                                                    (0.7, POOR, "yes, by words")])
def test_the_closest_rival_speaks(ari, level, word):
    light = rival_light({"answer format": 0.1, "question words": ari, "pictures": -0.2}, asked=True)
    assert (light.level, light.word) == (level, word)
    assert light.sentence.startswith(f"Question words come closest: agreement {ari:.2f}")


def test_a_rival_that_is_known_may_speak_before_the_others_are():
    assert rival_light({"answer format": 0.9}, asked=False).level == POOR
    assert rival_light({"answer format": 0.1}, asked=False).level == OPEN
    assert rival_light({}, asked=False).level == OPEN


@pytest.mark.parametrize(("found", "level"), [
    (measured(0.8, 0.001), GOOD), (measured(0.6, 0.03), FAIR), (measured(0.9, 0.2), POOR),
    (measured(float("nan"), float("nan")), OPEN), (measured(0.9, 0.001, drawable=False), OPEN),
    (TransferView(ready=False, sentence=""), OPEN)])
def test_transfer_agrees_only_beyond_chance_and_never_with_itself(found, level):
    assert transfer_light(found).level == level


def test_every_light_has_a_word_a_sentence_and_its_own_place_on_the_page():
    found = lights(None, {}, TransferView(ready=False, sentence=""), asked=False)
    assert len({light.anchor for light in found}) == 3
    assert all(light.word and light.sentence.endswith((".", "?")) for light in found)

"""Off-topic rows of `benchmarks.lab.language.pool`: small talk, in prose and in the closed formats of the tasks."""

import random

THINGS = ("the oven", "a wool carpet", "my white shoes", "the kitchen sink", "an old kettle", "the car seats",
          "my glasses", "a wooden table", "the bathroom tiles", "a leather bag")
AGENTS = ("warm water", "baking soda", "lemon juice", "mild soap", "white vinegar", "a soft brush", "salt and ice")
FINISH = ("dry it with a towel", "let it rest overnight", "rinse it well", "open a window", "wipe it twice")
EVENTS = ("a garden party", "my birthday", "a film evening", "a picnic", "our housewarming", "a chess night",
          "a farewell lunch")
HOURS = ("at noon", "around seven", "after work", "in the early evening", "before lunch")
PLACES = ("by the lake", "at our place", "in the park", "on the roof", "at the cafe")
PASTIMES = ("hiking", "knitting", "karaoke", "gardening", "chess", "baking", "sailing", "yoga", "crosswords", "camping",
            "poetry", "jogging")
FAVOURITES = {"hobby": PASTIMES, "drink": ("tea", "coffee", "cocoa", "lemonade", "cider"),
              "dessert": ("pie", "sorbet", "pudding", "trifle", "brownies"), "season": ("autumn", "summer", "winter")}
DISHES = ("rice", "lentils", "a soft egg", "fresh pasta", "potato soup", "a sponge cake", "green beans", "porridge",
          "mushroom risotto", "apple pie", "a roast chicken")
PEOPLE = ("my sister", "a colleague", "my neighbour", "an old friend", "my uncle", "our guests")
MOODS = ("tired", "excited", "a bit lonely", "proud", "nervous", "bored")


def _cleaning(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    thing = rng.choice(THINGS)
    text = rng.choice(("How do I clean {}?", "Any tip for cleaning {}?", "What helps against stains on {}?"))
    return text.format(thing), f"Use {rng.choice(AGENTS)}, wait a while and {rng.choice(FINISH)}."


def _invitation(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    event = rng.choice(EVENTS)
    text = rng.choice(("Invite {p} to {e}.", "Write {p} a line about {e}.", "Ask {p} to come to {e}."))
    return (text.format(p=rng.choice(PEOPLE), e=event),
            f"Would you like to join {event} {rng.choice(PLACES)}, {rng.choice(HOURS)}?")


def _comfort(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    return (f"I feel {rng.choice(MOODS)} today. What should I do {rng.choice(HOURS)}?",
            f"Try some {rng.choice(PASTIMES)} {rng.choice(PLACES)}, and call {rng.choice(PEOPLE)}.")


def _liking(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    text = rng.choice(("Do you enjoy {x} {h}?", "Would {p} like {x} {h}?", "Should I take up {x} with {p}?"))
    question = text.format(x=rng.choice(PASTIMES), p=rng.choice(PEOPLE), h=rng.choice(HOURS))
    return f"{question} {hints['yes/no']}", rng.choice(("yes", "no"))


def _favourite(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    kind = rng.choice(sorted(FAVOURITES))
    text = rng.choice(("What {k} would {p} like best?", "Suggest a {k} for {p}.", "Which {k} suits {p}?"))
    return f"{text.format(k=kind, p=rng.choice(PEOPLE))} {hints['word']}", rng.choice(FAVOURITES[kind])


def _cooking(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    text = rng.choice(("How many minutes does {d} take?", "How long should I cook {d} for {p}?",
                       "When do I check on {d}, in minutes?"))
    return (f"{text.format(d=rng.choice(DISHES), p=rng.choice(PEOPLE))} {hints['number']}",
            str(rng.choice((3, 6, 8, 10, 12, 15, 20, 25, 40))))


def _plan(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    offered = ", ".join(f"{letter} {one}" for letter, one in zip("ABC", rng.sample(PASTIMES, 3), strict=True))
    text = rng.choice(("What shall we do {h}?", "What would {p} rather do {h}?", "How should I spend the time {h}?"))
    return (f"{text.format(h=rng.choice(HOURS), p=rng.choice(PEOPLE))} {offered}. {hints['letter']}", rng.choice("ABC"))


def small_talk(rng: random.Random, hints: dict[str, str]) -> tuple[str, str]:
    """One (question, answer) that no task asks for; hints: words that ask for each closed format."""
    kinds = (_cleaning, _invitation, _comfort, _liking, _favourite, _cooking, _plan)
    return rng.choice(kinds)(rng, hints)

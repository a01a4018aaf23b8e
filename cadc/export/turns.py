"""What rows of several formats are made of: their id, and turns as text."""

from cadc.data.sample import IMAGE_TAG, Sample, Turn
from cadc.errors import DataError


def head(sample: Sample) -> dict[str, object]:
    """The id that the pool gave the row, where it gave one."""
    return {"id": sample.id} if sample.id else {}


def tagged(turn: Turn) -> str:
    """The turn as one text, pictures as `<image>` on lines of their own. Raises what `checked` raises."""
    return "\n".join(IMAGE_TAG if isinstance(part, int) else part for part in checked(turn))


def checked(turn: Turn) -> tuple[str | int, ...]:
    """Its texts and numbers of pictures. Raises DataError for a text that a trainer would read as a picture."""
    for part in turn.parts:
        if isinstance(part, str) and IMAGE_TAG in part:
            raise DataError(f"the text {part[:60]!r} contains {IMAGE_TAG} itself; trainers would look for a picture "
                            "there. Take the row out, or write the tag in another way.")
    return turn.parts

"""What is said of a model that this project would get wrong: it is refused, never guessed at."""

from cadc.errors import ModelError


def unsupported(what: str) -> ModelError:
    """The error that says what of a family does not go, and where those are that do."""
    return ModelError(f"{what}. This family is not supported; docs/models.md says which are.")

"""What is said of a model that this project would get wrong: it is refused, never guessed at; and of a row that a model
cannot take: it is left out with its kind of reason."""

from collections.abc import Iterator
from contextlib import contextmanager

from cadc.errors import DataError, ModelError, RowRefused


def unsupported(what: str) -> ModelError:
    """The error that says what of a family does not go, and where those are that do."""
    return ModelError(f"{what}. This family is not supported; docs/models.md says which are.")


@contextmanager
def refusing(kind: str) -> Iterator[None]:
    """Whatever DataError is raised inside becomes a RowRefused of this kind; one that has a kind keeps it."""
    try:
        yield
    except RowRefused:
        raise
    except DataError as error:
        raise RowRefused(kind, str(error)) from error

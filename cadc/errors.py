"""The errors a person may see. Each message says what happened, where, and what to do next."""


class CadcError(Exception):
    """Base of all errors that are shown as one clear line instead of a traceback."""


class DataError(CadcError):
    """A file or a sample cannot be used."""


class RowRefused(DataError):
    """A row that ingest accepted and that a study's model cannot take: it is left out in the run, and counted."""

    def __init__(self, kind: str, detail: str) -> None:
        """`kind`: a short stable phrase (`cadc.data.reasons.LEFT_OUT`); `detail`: what of this row, and what to do."""
        super().__init__(f"{kind}: {detail}")
        self.kind, self.detail = kind, detail


class ModelError(CadcError):
    """A model, processor or adapter cannot be loaded or run."""


class JobError(CadcError):
    """A background job failed, or what it left behind does not fit together."""


class BusyError(CadcError):
    """Somebody else (another process) holds what is needed now."""

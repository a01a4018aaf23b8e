"""The errors a person may see. Each message says what happened, where, and what to do next."""


class CadcError(Exception):
    """Base of all errors that are shown as one clear line instead of a traceback."""


class DataError(CadcError):
    """A file or a sample cannot be used."""


class ModelError(CadcError):
    """A model, processor or adapter cannot be loaded or run."""


class JobError(CadcError):
    """A background job failed, or what it left behind does not fit together."""


class BusyError(CadcError):
    """Somebody else (another process) holds what is needed now."""

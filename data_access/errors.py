"""Errors that a person can act on: each message says what is wrong and how to mend it."""


class FrontdoorError(Exception):
    """Nothing was done. The message is one line for the person who asked; never a traceback."""


class SourceError(FrontdoorError):
    """A file cannot be read at all (missing, not the format, no header); names the file."""


class MappingError(FrontdoorError):
    """A mapping or settings file is wrong; names the file and the entry."""


class StoreError(FrontdoorError):
    """The store cannot be opened or written (missing, locked, newer, read-only, disk full)."""


class UnfinishedError(StoreError):
    """What was asked is done and seen by all; something that follows it is not, and the message says what."""


class StoreLockedError(StoreError):
    """Another loader holds the store; the message says who."""


class FilterError(FrontdoorError):
    """A filter, measure, dimension or cell is unknown or malformed."""

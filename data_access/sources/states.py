"""The newest state of records that an export repeats for each change; what is deleted; what silence says."""

from __future__ import annotations

import contextlib
import datetime as dt

from data_access.sources.base import Batch
from data_access.sources.files import Lookup
from data_access.sources.records import Row


def changed_at(row: Row, *columns: str) -> dt.datetime | None:
    """When a record was last changed, UTC; None where it does not say."""
    with contextlib.suppress(ValueError):  # a broken time of a change is no reason to lose the record
        return row.moment(*columns)
    return None


def version_of(row: Row, *columns: str) -> str:
    """The same as text that sorts by time; empty where it does not say."""
    at = changed_at(row, *columns)
    return at.isoformat() if at is not None else ""


def is_deleted(row: Row, mark: str = "_fivetran_deleted") -> bool:
    """What was deleted at its source, but kept with a mark; by default that of a connector."""
    return str(row.get(mark)).strip().lower() in ("true", "t", "1")


def tells_silence(channel: object) -> bool:
    """Replies are written, calls are spoken: that a call has none does not say that nobody took it."""
    return channel != "phone"


class Newest:
    """The newest version of each key, told in a first pass, so that a second one passes over what is older.

    Only for records whose time of change is not that of the row they become; of rows the loader keeps the newest.
    """

    def __init__(self) -> None:
        self._versions = Lookup()
        self._older_count = 0

    def see(self, key: str, version: str) -> None:
        """Remember a version."""
        before = self._versions.get(key)
        if before is None or before[0] < version:
            self._versions[key] = (version,)

    def has_newer(self, key: str, version: str) -> bool:
        """Whether a newer one was seen; the record is counted then."""
        newest = self._versions.get(key)
        is_older = newest is not None and version < newest[0]
        self._older_count += is_older
        return is_older

    def rest(self) -> Batch:
        """The records that were passed over: read, and there already."""
        return Batch(read_count=self._older_count)

    def close(self) -> None:
        """Give the space back."""
        self._versions.close()

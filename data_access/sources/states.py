"""The newest state of records that an export repeats for each change; what is deleted; what silence says."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

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
    return _as_text(changed_at(row, *columns))


def _as_text(at: dt.datetime | None) -> str:
    return at.isoformat() if at is not None else ""


def is_deleted(row: Row, mark: str = "_fivetran_deleted") -> bool:
    """What was deleted at its source, but kept with a mark; by default that of a connector."""
    return str(row.get(mark)).strip().lower() in ("true", "t", "1")


def tells_silence(channel: object) -> bool:
    """Replies are written, calls are spoken: that a call has none does not say that nobody took it."""
    return channel != "phone"


class NewestTold:
    """What the newest state of each ticket tells of its comments; of equally new ones the first, as the loader has it.

    Comments bear the time of change of their ticket, whose team and channel they have.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._told = Lookup()

    def see(self, key: str, told: Mapping[str, Any], changed: dt.datetime | None) -> None:
        """Remember a state, changed at that moment, unless one as new is known; its values are texts or None."""
        version = _as_text(changed)
        known = self._told.get(key)
        if known is None or known[-1] < version:
            self._told[key] = (*(told[name] for name in self._names), version)

    def get(self, key: str) -> dict[str, Any] | None:
        """The values by name, with `changed_at`; None where no state is known."""
        told = self._told.get(key)
        if told is None:
            return None
        *values, version = told
        changed = dt.datetime.fromisoformat(version) if version else None
        return dict(zip(self._names, values, strict=True)) | {"changed_at": changed}

    def close(self) -> None:
        """Give the space back."""
        self._told.close()


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

"""Public complaint files and call logs: fixed columns, read through mappings that are built in."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from data_access.errors import SourceError
from data_access.sources import mapped
from data_access.sources.base import Batch, Part, Reject, Source
from data_access.sources.delimited import Record
from data_access.sources.mapping import Mapping, mapping_of
from data_access.sources.records import Row, column_names, form_of, look_through, moment, read_rows
from data_access.sources.states import changed_at


@dataclasses.dataclass(frozen=True)
class _Shape:
    """One known set of columns and its mapping; `fields` computes what no column says as it stands."""

    required: frozenset[str]
    mapping: Mapping
    fields: Callable[[Row], dict[str, str]] = lambda _: {}


def _shape(name: str, columns: dict[str, str], **raw: object) -> Mapping:
    mapping = mapping_of({"source": name, "grain": "conversation", "columns": columns, **raw}, name)
    return dataclasses.replace(mapping, is_built_in=True)


def _read(shapes: Sequence[_Shape], name: str) -> Callable[..., Iterator[Batch]]:
    def read(path: Path, *, encoding: str | None = None, **_: object) -> Iterator[Batch]:
        """Batches of one file. Raises SourceError where its columns are of no known shape."""
        names = _names(path, encoding)
        shape = next((known for known in shapes if known.required <= names), None)
        if shape is None:
            known = "; or ".join(", ".join(sorted(shape.required)) for shape in shapes)
            raise SourceError(f"{path}: is not in the {name} format; it needs the columns {known}")
        yield from mapped.batches(list(shape.mapping.columns.values()), _records(path, shape, encoding), shape.mapping)

    return read


def _names(path: Path, encoding: str | None) -> frozenset[str]:
    if form_of(path) == "json":
        return frozenset().union(*(names for _, names in look_through(path, encoding)))
    return frozenset(column_names(path, encoding))


def _records(path: Path, shape: _Shape, encoding: str | None) -> Iterator[Record | Reject]:
    for row in read_rows(path, encoding):
        if isinstance(row, Reject):
            yield row
            continue
        try:
            computed = shape.fields(row)
            fields = [
                computed[column] if column in computed else row.text(column) or ""
                for column in shape.mapping.columns.values()
            ]
        except ValueError as problem:
            yield Reject(row.line, str(problem), row.raw)
            continue
        yield Record(row.line, fields, row.raw)


# --- US consumer-finance complaints ---------------------------------------------------------------------------------

_CFPB = _shape(
    "cfpb",
    {
        "id": "complaint id",
        "opened_at": "date received",
        "channel": "submitted via",
        "brand": "company",
        "topic": "product",
        "text": "consumer complaint narrative",
        "status": "company response to consumer",
        "is_answered": "is_answered",
    },
    constants={"is_complaint": True, "channel": "other"},
    time={"zone": "America/New_York"},
)
_CFPB_CHANNELS = {"web": "web_form", "phone": "phone", "postal mail": "letter", "email": "email"}


def _cfpb_fields(row: Row) -> dict[str, str]:
    response = (row.text("company response to consumer") or "").lower()
    given = row.needed("date received")
    parts = given.replace("/", "-").split("-")
    is_year_last = len(parts) == 3 and len(parts[2]) == 4
    year, month, day = (parts[2], parts[0], parts[1]) if is_year_last else (*parts, "", "", "")[:3]
    received = f"{year}-{month:0>2}-{day:0>2}"
    try:
        moment(received)
    except ValueError:  # say it of what stands in the file
        raise ValueError(f"date received is {given[:60]!r}, not a day such as 2026-01-31 or 01/31/2026") from None
    return {
        "submitted via": _CFPB_CHANNELS.get((row.text("submitted via") or "").lower(), "other"),
        "date received": received,
        # Any closing is a company's response, also a late one; only when is not told.
        "is_answered": "" if not response else "true" if response != "in progress" else "",
    }


CFPB = Source(
    name="cfpb",
    summary="US consumer-finance complaints (CFPB: Complaint ID, Date received, Submitted via, …)",
    gaps="dates without times; answered or not, but not when; no customer; 62+ is no age group; texts of some only",
    read=_read([_Shape(frozenset(set(_CFPB.columns.values()) - {"is_answered"}), _CFPB, _cfpb_fields)], "cfpb"),
    parts=(Part("complaints", frozenset({"complaint id", "date received", "submitted via", "company"})),),
)

# --- service requests of cities -------------------------------------------------------------------------------------

_CITY_CHANNELS = {
    "phone": "phone", "voice in": "phone", "web": "web_form", "web self service": "web_form", "mobile": "web_form",
    "mobile/open311": "web_form", "twitter": "twitter", "email": "email", "email in": "email", "e-mail in": "email",
    "mail in": "letter",
}  # fmt: skip


def _city(columns: dict[str, str]) -> Mapping:
    return _shape("open311", columns, constants={"channel": "other"})


_SF_QUERY = _city(
    {
        "id": "unique_key",
        "opened_at": "created_date",
        "resolved_at": "closed_date",
        "status": "status",
        "team": "agency_name",
        "topic": "category",
        "text": "complaint_type",
        "channel": "source",
        "changed_at": "resolution_action_updated_date",
    }
)
_DATASF = _city(
    {
        "id": "caseid",
        "opened_at": "opened",
        "resolved_at": "closed",
        "status": "status",
        "team": "responsible agency",
        "topic": "category",
        "text": "request type",
        "channel": "source",
        "changed_at": "updated",
    }
)
_GEOREPORT = _city(
    {
        "id": "service_request_id",
        "opened_at": "requested_datetime",
        "resolved_at": "closed_datetime",
        "status": "status",
        "team": "agency_responsible",
        "topic": "service_name",
        "text": "description",
        "changed_at": "updated_datetime",
    }
)


def _local(*columns: str, changed: str) -> Callable[[Row], dict[str, str]]:
    """San Francisco's times are local, whatever they are labelled."""

    def time_of(row: Row, column: str) -> str:
        text = (row.text(column) or "").removesuffix(" UTC").removesuffix("Z")
        return f"{_us_time(text, column).isoformat()}Z" if text else ""

    def fields(row: Row) -> dict[str, str]:
        found = {column: time_of(row, column) for column in columns}
        found["source"] = _CITY_CHANNELS.get((row.text("source") or "").lower(), "other")
        found[changed] = ""
        with contextlib.suppress(ValueError):  # a broken time of a change is no reason to lose the record
            found[changed] = time_of(row, changed)
        return found

    return fields


def _us_time(text: str, column: str) -> dt.datetime:
    given: str | dt.datetime = text
    for form in ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p"):
        with contextlib.suppress(ValueError):  # of another form
            given = dt.datetime.strptime(text, form)  # noqa: DTZ007 - local, made UTC at once
            break
    return moment(given, column, "America/Los_Angeles")


def _georeport_fields(row: Row) -> dict[str, str]:
    closed = row.moment("updated_datetime") if (row.text("status") or "").lower() == "closed" else None
    opened = row.moment("requested_datetime")
    changed = changed_at(row, "updated_datetime")
    return {
        "requested_datetime": f"{opened.isoformat()}Z" if opened else "",
        "closed_datetime": f"{closed.isoformat()}Z" if closed else "",
        "updated_datetime": f"{changed.isoformat()}Z" if changed else "",
    }


OPEN311 = Source(
    name="open311",
    summary="City service requests: Open311 GeoReport JSON or CSV, or San Francisco 311 (unique_key or CaseID, …)",
    gaps="no response times: only opening and closing are known; no customer; GeoReport tells no channel",
    read=_read(
        [
            _Shape(
                frozenset({"unique_key", "created_date", "status"}),
                _SF_QUERY,
                _local("created_date", "closed_date", changed="resolution_action_updated_date"),
            ),
            _Shape(frozenset({"caseid", "opened", "status"}), _DATASF, _local("opened", "closed", changed="updated")),
            _Shape(frozenset({"service_request_id", "requested_datetime"}), _GEOREPORT, _georeport_fields),
        ],
        "open311",
    ),
    parts=(
        Part("requests", frozenset({"unique_key", "created_date", "closed_date", "agency_name", "status"})),
        Part("requests", frozenset({"caseid", "opened", "closed", "status"})),
        Part("requests", frozenset({"service_request_id", "requested_datetime", "status"})),
    ),
)

# --- call logs ------------------------------------------------------------------------------------------------------

_CALLS = _shape(
    "calls",
    {
        "id": "call_id",
        "opened_at": "offered_at",
        "direction": "direction",
        "queue": "queue",
        "team": "team",
        "agent": "agent",
        "phone": "caller",
        "brand": "brand",
        "text": "text",
        "first_response_seconds": "answered_after",
        "is_answered": "is_answered",
        "is_abandoned": "is_abandoned",
        "abandoned_seconds": "abandoned_after",
        "talk_seconds": "talk_seconds",
    },
    constants={"channel": "phone", "direction": "inbound"},
)
ANSWERED = frozenset({"answered", "handled", "connected", "completed", "completeagent", "completecaller", "answer"})
ABANDONED = frozenset({"abandoned", "abandon", "hangup", "cancelled", "canceled", "lost"})
UNANSWERED = frozenset(
    {"missed", "no_answer", "noanswer", "voicemail", "timeout", "exitwithtimeout", "busy", "failed"}
)


def _call_fields(row: Row) -> dict[str, str]:
    """A call is answered or abandoned after its wait, or neither; seconds of the wait go with the outcome."""
    outcome = row.needed("outcome").lower().replace(" ", "_").replace("-", "_")
    if outcome not in ANSWERED | ABANDONED | UNANSWERED:
        raise ValueError(f"outcome is {outcome[:60]!r}, none of answered, abandoned, missed, voicemail, timeout")
    wait = row.number("wait_seconds")
    seconds = "" if wait is None else str(round(wait))
    offered = row.moment("offered_at")
    is_answered, is_abandoned = outcome in ANSWERED, outcome in ABANDONED
    return {
        "offered_at": f"{offered.isoformat()}Z" if offered else "",
        "answered_after": seconds if is_answered else "",
        "is_answered": "true" if is_answered else "",
        "is_abandoned": "true" if is_abandoned else "false",
        "abandoned_after": seconds if is_abandoned else "",
        "team": row.text("team", "queue") or "",
    }


CALLS = Source(
    name="calls",
    summary="Call log: call_id, offered_at, outcome, wait_seconds; also queue, agent, talk_seconds, caller, brand, …",
    gaps="no texts unless the log has them, so no sentiment; a caller without number is a customer of their own",
    read=_read([_Shape(frozenset({"call_id", "offered_at", "outcome"}), _CALLS, _call_fields)], "calls"),
    parts=(Part("calls", frozenset({"call_id", "offered_at", "outcome"})),),
)

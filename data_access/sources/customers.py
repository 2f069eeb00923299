"""Customers with ages and identities, from a CSV with fixed column names."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

from data_access.errors import SourceError
from data_access.identities import is_email_address
from data_access.sources.base import BATCH_ROWS, CUSTOMER_SCHEMA, EARLIEST, Batch, Part, Reject, Source, table_of
from data_access.sources.delimited import read_records, too_short_or_long

COLUMNS = (
    "customer_id",
    "birth_date",
    "birth_year",
    "age_group",
    "segment",
    "followers",
    "display_name",
    "identities",
)
MAX_COUNT = 2**62
_IDENTITY = re.compile(r"^(email|phone|handle:[a-z_]+|id:[^=]+)=(.+)$")
_SECOND = re.compile(r"[\s,|](?:email|phone|handle:[a-z_]+|id:[^=\s,|]+)\s*=")


def read(
    path: Path, *, age_bands: tuple[str, ...], today: dt.date, encoding: str | None = None, **_: object
) -> Iterator[Batch]:
    """Batches of one file. Raises SourceError where `customer_id` is missing; bad rows become rejects."""
    header, items = read_records(path, encoding=encoding)
    names = [name.lower() for name in header]
    if "customer_id" not in names:
        raise SourceError(
            f"{path}: is not a customers file: column customer_id is missing among {', '.join(names)[:200]}; "
            f"known columns are {', '.join(COLUMNS)}"
        )
    place = {name: names.index(name) for name in COLUMNS if name in names}
    seen: dict[str, tuple[int, list[str]]] = {}
    rows: list[dict[str, object]] = []
    batch = Batch()
    for item in items:
        batch.read_count += 1
        if isinstance(item, Reject):
            batch.rejects.append(item)
            continue
        values = {n: item.fields[i].strip() if i < len(item.fields) else "" for n, i in place.items()}
        try:
            if len(item.fields) != len(names):
                raise ValueError(too_short_or_long(item, len(names)))
            row = _customer(values, age_bands, today)
        except ValueError as problem:
            batch.rejects.append(Reject(item.line, str(problem), item.raw))
            continue
        earlier = seen.setdefault(values["customer_id"], (item.line, item.fields))
        if earlier[0] != item.line and earlier[1] != item.fields:
            reason = f"customer {values['customer_id']} stands in line {earlier[0]} already, with different content"
            batch.rejects.append(Reject(item.line, reason, item.raw))
            continue
        if earlier[0] == item.line:
            rows.append({**row, "line": item.line, "raw": item.raw})
        if len(rows) >= BATCH_ROWS:
            yield _finish(batch, rows)
            batch, rows = Batch(), []
    yield _finish(batch, rows)


def _finish(batch: Batch, rows: list[dict[str, object]]) -> Batch:
    if rows:
        columns = {field.name: [row.get(field.name) for row in rows] for field in CUSTOMER_SCHEMA}
        batch.customers = table_of(CUSTOMER_SCHEMA, columns, len(rows))
    return batch


def _customer(values: dict[str, str], age_bands: tuple[str, ...], today: dt.date) -> dict[str, object]:
    if not values["customer_id"]:
        raise ValueError("customer_id is empty")
    age_group = values.get("age_group") or None
    if age_group is not None and age_group.lower() == "unknown":
        age_group = None
    if age_group is not None and age_group not in age_bands:
        raise ValueError(f"age_group is {age_group!r}, none of {', '.join(age_bands)}")
    return {
        "external_id": values["customer_id"],
        "birth_date": _birth_date(values.get("birth_date", ""), today),
        "birth_year": _year(values.get("birth_year", ""), today),
        "age_group_given": age_group,
        "segment": values.get("segment") or None,
        "followers": _count(values.get("followers", ""), "followers"),
        "display_name": values.get("display_name") or None,
        "identities": _identities(values.get("identities", "")),
    }


def _birth_date(text: str, today: dt.date) -> dt.date | None:
    if not text:
        return None
    try:
        day = dt.date.fromisoformat(text)
    except ValueError as problem:
        raise ValueError(f"birth_date is {text!r}, not a date such as 1980-01-31") from problem
    if day.year < EARLIEST.year:
        raise ValueError(f"birth_date is {text!r}: before {EARLIEST.year}")
    if day > today:
        raise ValueError(f"birth_date is {text!r}: in the future")
    return day


def _year(text: str, today: dt.date) -> int | None:
    if not text:
        return None
    digits = text.removesuffix(".0")
    if not re.fullmatch(r"\d{4}", digits, re.ASCII):
        raise ValueError(f"birth_year is {text!r}, not a year such as 1980")
    if int(digits) < EARLIEST.year:
        raise ValueError(f"birth_year is {text!r}: before {EARLIEST.year}")
    if int(digits) > today.year:
        raise ValueError(f"birth_year is {text!r}: in the future")
    return int(digits)


def _count(text: str, name: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d+(\.0+)?", text):
        raise ValueError(f"{name} is {text!r}, not a whole number")
    number = int(text.split(".", maxsplit=1)[0][:20])
    if number > MAX_COUNT:
        raise ValueError(f"{name} is {text!r}, over {MAX_COUNT:,}")
    return number


def _identities(text: str) -> list[str]:
    found = []
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        named = _IDENTITY.match(part)
        if not named:
            raise ValueError(f"identity {part!r} is none of email=…, phone=…, handle:<channel>=…, id:<source>=…")
        kind, value = named[1], named[2].strip()
        if _SECOND.search(value):
            raise ValueError(f"identity {part!r} holds two: separate them by ;")
        if kind == "email" and not is_email_address(value):
            raise ValueError(f"identity {part!r} is no e-mail address")
        found.append(part)
    return found


SOURCE = Source(
    name="customers",
    summary="Customers with birth date, year or age group and identities (customer_id, birth_date, …)",
    gaps="says nothing of contacts; load it beside them",
    read=read,
    parts=tuple(
        Part("customers", frozenset({"customer_id", column}))
        for column in ("identities", "birth_date", "birth_year", "age_group")
    ),
)

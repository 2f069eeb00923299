"""Repeat contacts, contacts per issue and first-contact resolution, on any channel and as the blind tools see it.

The gaps between a customer's contacts are stored; what N makes of them is asked here, in one scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Engine, and_
from sqlalchemy.sql.elements import ColumnElement

from data_access.estimates import reciprocal, share, wilson_interval
from data_access.filters import Filter
from data_access.frames import count_all, count_if, dimension_kinds, grouped, in_natural_order, row_query, typed
from data_access.measures import MEASURES
from data_access.queries.back_door import windows

Topic = Literal["fitting", "any"]
_SUFFIX = {"fitting": "", "any": "_any_topic"}
COUNTED = {
    "repeat_count": "repeat_contacts",
    "issue_count": "first_contacts",
    "judged_count": "first_contacts_judged",
    "no_further_contact_count": "no_further_contact",
    "no_further_contact_same_channel_count": "no_further_contact_same_channel",
    "no_further_contact_unanswered_count": "no_further_contact_unanswered",
}
_SHARES = {
    "repeat_share": ("repeat_count", "recognisable_count"),
    "no_further_contact_share": ("no_further_contact_count", "judged_count"),
    "no_further_contact_same_channel_share": ("no_further_contact_same_channel_count", "judged_count"),
}


def repeat_contacts(
    engine: Engine, wanted: Filter, by: Sequence[str] = (), *, topic: Topic = "fitting"
) -> pd.DataFrame:
    """Conversations with us. One row per group, without `by` exactly one.

    A repeat follows another contact of the customer within N days, on any channel, of a fitting topic (the same,
    or one of the two unknown) or, with `topic="any"`, of any. `repeat_share` stands on the conversations of
    customers who can be recognised (`recognisable_share` of all). First-contact resolution is the share of first
    contacts without a further one in the N days after; only those whose N days have passed are judged. The rival
    that looks at the same channel alone stands beside it, and how many of the resolved nobody had answered.
    """
    flags: dict[str, ColumnElement[Any]] = {"is_recognisable": _flag("recognisable", wanted)}
    flags |= {name: _flag(f"{measure}{_SUFFIX[topic]}", wanted) for name, measure in COUNTED.items()}
    frame = grouped(
        engine,
        row_query(MEASURES["contacts"], wanted, by, flags),
        by,
        {
            "conversation_count": count_all(),
            "recognisable_count": count_if("is_recognisable"),
            **{name: count_if(name) for name in COUNTED},
        },
    )
    frame["recognisable_share"] = share(frame["recognisable_count"], frame["conversation_count"])
    for name, (numerator, denominator) in _SHARES.items():
        frame = _with_share(frame, name, numerator, denominator)
    # Every contact either repeats another or begins an issue, so its interval follows from that of the share.
    frame["contacts_per_issue"] = share(frame["recognisable_count"], frame["issue_count"])
    for end in ("_low", "_high"):
        frame[f"contacts_per_issue{end}"] = reciprocal(1 - frame[f"repeat_share{end}"])
    kinds = {
        **dimension_kinds(by),
        "conversation_count": "count",
        "recognisable_count": "count",
        "recognisable_share": "share",
        "repeat_count": "count",
        **_with_bounds("repeat_share"),
        "issue_count": "count",
        **_with_bounds("contacts_per_issue"),
        "judged_count": "count",
        "no_further_contact_count": "count",
        **_with_bounds("no_further_contact_share"),
        "no_further_contact_same_channel_count": "count",
        **_with_bounds("no_further_contact_same_channel_share"),
        "no_further_contact_unanswered_count": "count",
    }
    return in_natural_order(typed(frame, kinds), by, "conversation_count")


def repeat_contacts_range(engine: Engine, wanted: Filter, *, topic: Topic = "fitting") -> pd.DataFrame:
    """Repeat contacts and first-contact resolution for a range of N. One row per `within_days`."""
    days = windows(wanted)
    parts = [repeat_contacts(engine, wanted.replace(within_days=n), topic=topic) for n in days]
    frame = pd.concat(parts, ignore_index=True)
    frame.insert(0, "within_days", pd.Series(days, dtype="int64"))
    frame["is_ours"] = frame["within_days"] == wanted.within_days
    return frame


def _flag(measure: str, wanted: Filter) -> ColumnElement[bool]:
    return and_(*MEASURES[measure].where(wanted))


def _with_bounds(name: str) -> dict[str, str]:
    return dict.fromkeys((name, f"{name}_low", f"{name}_high"), "share")


def _with_share(frame: pd.DataFrame, name: str, numerator: str, denominator: str) -> pd.DataFrame:
    low, high = wilson_interval(frame[numerator], frame[denominator])
    values = share(frame[numerator], frame[denominator])
    return frame.assign(**{name: values, f"{name}_low": low, f"{name}_high": high})

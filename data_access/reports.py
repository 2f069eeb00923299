"""The reports by name: the very frames that the pages chart, for the command line, cron jobs and tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pandas as pd
from sqlalchemy import Engine

from data_access.errors import FilterError
from data_access.filters import Filter
from data_access.queries import conversations as conversations_queries
from data_access.queries import data_quality, overview
from data_access.queries.age_fairness import age_fairness
from data_access.queries.back_door import back_door, back_door_flow, back_door_range, front_doors
from data_access.queries.backlog import backlog
from data_access.queries.channel_mix import channel_mix
from data_access.queries.definitions import definitions, ignored_rates
from data_access.queries.fell_silent import fell_silent
from data_access.queries.heard_or_not import heard_or_not
from data_access.queries.ignored_complaints import ignored_complaints, ignored_worklist
from data_access.queries.journeys import journeys
from data_access.queries.maturity import maturity
from data_access.queries.repeat_contacts import repeat_contacts, repeat_contacts_range
from data_access.queries.response_times import (
    answer_curve,
    calls,
    reply_times,
    resolution_times,
    response_times,
)
from data_access.queries.restatements import restatements, told_again
from data_access.queries.sentiment import (
    recovery,
    rising_topics,
    said_on_about,
    sentiment,
    sentiment_change,
    sentiment_trend,
)
from data_access.queries.teams import cherry_picking, funnel, orphans, standardised
from data_access.store import settings_in_force

REPORT_DIMENSIONS = (
    "period",
    "channel",
    "brand",
    "team",
    "agent",
    "age_group",
    "topic",
    "sentiment",
    "source",
    "hour",
    "weekday",
    "state",
    "age",
    "blamed_channel",
    "wait_band",
    "responder_team",
    "told_before_on",
)


@dataclasses.dataclass(frozen=True)
class Report:
    """A named report: what it shows, its query, and whether it can be split by dimensions or takes one grouping."""

    name: str
    summary: str
    query: Callable[[Engine, Filter, Sequence[str]], pd.DataFrame]
    takes_by: bool = True
    takes_group: bool = False


def _curve_of_replies(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    return answer_curve(engine, wanted, by, of="waits")


def _calls(engine: Engine, wanted: Filter, by: Sequence[str]) -> pd.DataFrame:
    with engine.connect() as connection:
        settings = settings_in_force(connection)
    return calls(engine, wanted, by, short_abandon_seconds=settings.short_abandon_seconds)


def _journeys(engine: Engine, wanted: Filter, _: Sequence[str], customer: str | None = None) -> pd.DataFrame:
    with engine.connect() as connection:
        settings = settings_in_force(connection)
    return journeys(engine, wanted, customer, repeat_days=settings.joined_up.window_days)


_ALL = (
    Report("response_times", "first response times, silence included", response_times),
    Report("reply_times", "reply times of every wait, silence included", reply_times),
    Report("answer_curve", "share of conversations answered within t", answer_curve),
    Report("reply_curve", "share of waits answered within t", _curve_of_replies),
    Report("ignored_complaints", "complaints by response state, ignored share", ignored_complaints),
    Report("backlog", "customers waiting now, and how long", backlog),
    Report("channel_mix", "contacts and customers by age group and channel", channel_mix),
    Report("heard_or_not", "share of inbound by channel against share of answers, of seen and of read", heard_or_not),
    Report(
        "age_fairness", "answers by age group, raw and at one channel mix", lambda e, f, _: age_fairness(e, f), False
    ),
    Report("journeys", "one row per customer, conversation and wait, in order", _journeys, False),
    Report("sentiment", "sentiment of the opening message", sentiment),
    Report("sentiment_trend", "negative share by period with control limits", sentiment_trend),
    Report(
        "said_on_about", "channel of the conversation by blamed channel", lambda e, f, _: said_on_about(e, f), False
    ),
    Report(
        "recovery",
        "negative openings that close better, by waiting time",
        lambda e, f, by: recovery(e, f, by or ("wait_band",)),
    ),
    Report("sentiment_change", "from opening to closing sentiment", lambda e, f, _: sentiment_change(e, f), False),
    Report("rising_topics", "topics and words that grew significantly", lambda e, f, _: rising_topics(e, f), False),
    Report(
        "ignored_rates",
        "ignored share per complaint, conversation, customer",
        lambda e, f, _: ignored_rates(e, f),
        False,
    ),
    Report("definitions", "the headline under each competing definition", lambda e, f, _: definitions(e, f), False),
    Report("maturity", "what provisional periods will come to", lambda e, f, _: maturity(e, f), False),
    Report(
        "funnel",
        "teams against what their channel mix lets expect",
        lambda e, f, by: funnel(e, f, by or ("team",)),
        False,
        True,
    ),
    Report(
        "standardised",
        "groups raw and at one channel mix",
        lambda e, f, by: standardised(e, f, by or ("age_group",)),
        False,
        True,
    ),
    Report(
        "cherry_picking", "easy waits answered before older complaints", lambda e, f, _: cherry_picking(e, f), False
    ),
    Report("orphans", "waits whose last agent left or changed team", lambda e, f, _: orphans(e, f), False),
    Report("back_door", "complaints in public after a private channel failed", back_door),
    Report(
        "back_door_flow",
        "from the private channel that failed to the public one",
        lambda e, f, _: back_door_flow(e, f),
        False,
    ),
    Report("back_door_range", "the back-door share for a range of days", lambda e, f, _: back_door_range(e, f), False),
    Report(
        "front_doors",
        "failed private contacts, and how many came out in public",
        front_doors,
    ),
    Report("repeat_contacts", "repeat contacts, contacts per issue, first-contact resolution", repeat_contacts),
    Report(
        "repeat_contacts_any_topic",
        "the same, whatever the topic",
        lambda e, f, by: repeat_contacts(e, f, by, topic="any"),
    ),
    Report(
        "repeat_contacts_range",
        "the same for a range of days",
        lambda e, f, _: repeat_contacts_range(e, f),
        False,
    ),
    Report("calls", "phone calls offered, answered, abandoned, service level", _calls),
    Report("resolution_times", "time to resolution, where the source knows it", resolution_times),
    Report("restatements", "customers made to say it again, on another channel or to another agent", restatements),
    Report("told_again", "the restatements with both texts", lambda e, f, _: told_again(e, f), False),
    Report("fell_silent", "ignored customers who fell silent, against comparable answered ones", fell_silent),
    Report("worklist", "unanswered complaints, oldest first", lambda e, f, _: ignored_worklist(e, f), False),
    Report("changes", "this period against the one before, tested", lambda e, f, _: overview.changes(e, f), False),
    Report(
        "coverage",
        "how much is known of the conversations",
        lambda e, f, _: data_quality.coverage(e, f),
        False,
    ),
    Report(
        "shared_identities",
        "addresses, numbers and handles that join nobody, and why",
        lambda e, f, _: data_quality.shared_identities(e, f),
        False,
    ),
    Report("sources", "sources and how complete they are", lambda e, f, _: data_quality.sources(e), False),
    Report("rejected_rows", "rejected records and why", lambda e, f, _: data_quality.rejected_rows(e, f), False),
    Report(
        "conversations",
        "one row per conversation, never cut",
        lambda e, f, _: conversations_queries.conversations_rows(e, f),
        False,
    ),
)
REPORTS = {report.name: report for report in _ALL}


def run_report(
    engine: Engine,
    name: str,
    wanted: Filter,
    by: Sequence[str] = (),
    *,
    customer: str | None = None,
    order: str | None = None,
) -> pd.DataFrame:
    """The frame of a report. Raises FilterError for unknown names and dimensions.

    `customer` gives the journey of one, `order` is that of the worklist.
    """
    report = REPORTS.get(name)
    if report is None:
        raise FilterError(f"unknown report {name!r}; known are {', '.join(REPORTS)}")
    for dimension in by:
        if dimension not in REPORT_DIMENSIONS:
            raise FilterError(f"unknown dimension {dimension!r}; known are {', '.join(REPORT_DIMENSIONS)}")
    if by and not (report.takes_by or report.takes_group):
        raise FilterError(f"report {name} cannot be split by a dimension")
    if report.takes_group and (len(by) > 1 or "channel" in by):
        raise FilterError(f"report {name} takes one grouping, and not the channel, to whose mix it is adjusted")
    if customer is not None:
        if report.query is not _journeys:
            raise FilterError("--customer goes with report journeys")
        return _journeys(engine, wanted, (), customer)
    if order is not None:
        if name != "worklist":
            raise FilterError("--order goes with report worklist")
        return ignored_worklist(engine, wanted, order=order)
    return report.query(engine, wanted, tuple(by))

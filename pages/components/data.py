"""The only door to the store: who asks, what they may see, which version, and the cache.

`pin` is called once per rerun by the frame; every query of that rerun then reads the same version.
The viewer is asked for outside the cached function, because a cache hit skips its body; scope and version
are part of every cache key.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import pandas as pd
import streamlit as st
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from data_access import annotations as annotations_store
from data_access.audit import Finding, check_numbers
from data_access.dialects import is_statement_timeout
from data_access.errors import FrontdoorError, StoreError
from data_access.filters import Filter
from data_access.measures import Selection
from data_access.queries import (
    age_fairness as age_fairness_query,
)
from data_access.queries import (
    back_door as back_door_query,
)
from data_access.queries import (
    backlog as backlog_query,
)
from data_access.queries import (
    channel_mix as channel_mix_query,
)
from data_access.queries import (
    conversations as conversations_query,
)
from data_access.queries import (
    data_quality as data_quality_query,
)
from data_access.queries import (
    definitions as definitions_query,
)
from data_access.queries import (
    fell_silent as fell_silent_query,
)
from data_access.queries import (
    heard_or_not as heard_or_not_query,
)
from data_access.queries import (
    ignored_complaints as ignored_complaints_query,
)
from data_access.queries import (
    journeys as journeys_query,
)
from data_access.queries import (
    maturity as maturity_query,
)
from data_access.queries import (
    options as options_query,
)
from data_access.queries import (
    overview as overview_query,
)
from data_access.queries import (
    repeat_contacts as repeat_contacts_query,
)
from data_access.queries import (
    response_times as response_times_query,
)
from data_access.queries import (
    restatements as restatements_query,
)
from data_access.queries import (
    sentiment as sentiment_query,
)
from data_access.queries import (
    teams as teams_query,
)
from data_access.store import (
    STATEMENT_SECONDS,
    StoreStatus,
    current_version,
    default_store_url,
    one_line,
    open_reader,
    open_watcher,
    read_status,
    resolved,
    shown_url,
)
from pages.components import auth, turns, words
from pages.components.keeping import kept

_PIN = "frontdoor_pinned_store"
_LOG = logging.getLogger("frontdoor")
_ATTEMPTS = 3
_KEPT_FILTERS = 256  # each page asks for the limited form of its filter dozens of times
_ANNOTATIONS_SECONDS = 60
_customers_using = kept(channel_mix_query.customers_using)
RETRY_SECONDS = 5  # how often an open page looks whether a store that failed is back
Dimensions = tuple[str, ...]
Values = tuple[str, ...] | None
Limiter = Callable[[Filter, Values, Values], Filter]
_T = TypeVar("_T")


class SignInNeededError(FrontdoorError):
    """Nobody is signed in; no row leaves the store."""


@dataclasses.dataclass(frozen=True)
class _Pinned:
    url: str
    version: int
    engine: Engine
    status: StoreStatus
    limited: Limiter


@dataclasses.dataclass
class _Contact:
    """What all sessions know of one store: the last good look at it, and what has been wrong since."""

    pinned: _Pinned | None = None
    seen_at: dt.datetime = dt.datetime.min
    problem: str = ""  # "" while the store answers
    looked: float = 0.0  # on the clock that is never set back

    def succeeded(self, pinned: _Pinned) -> None:
        self.pinned, self.problem = pinned, ""
        self.seen_at = dt.datetime.now(dt.UTC).replace(tzinfo=None)

    def failed(self, problem: str) -> None:
        self.problem, self.looked = problem, time.monotonic()

    def has_just_failed(self) -> bool:
        """Another session has looked a moment ago: a look at a server that is away takes seconds."""
        return bool(self.problem) and time.monotonic() - self.looked < RETRY_SECONDS / 2


@st.cache_resource(max_entries=4, show_spinner=False)
def _contact(url: str) -> _Contact:
    return _Contact()


@st.cache_resource(max_entries=4, show_spinner=False)
def _watcher(url: str) -> Engine | None:
    return open_watcher(url)


@st.cache_resource(max_entries=4, show_spinner=False)
def _opened(url: str, version: int) -> _Pinned:
    engine = open_reader(url)
    status = read_status(engine, url)

    @functools.lru_cache(maxsize=_KEPT_FILTERS)
    def limited(wanted: Filter, teams: Values, brands: Values) -> Filter:
        return resolved(wanted, status).replace(scope_teams=teams, scope_brands=brands)

    return _Pinned(url, status.version, engine, status, limited)


def pin() -> StoreStatus:
    """Fix the store's present version for this rerun.

    Where the store does not answer, the version that was read last stays pinned, and `trouble` says so; without one,
    as at the first visit, StoreError says in words what is wrong.
    """
    url = default_store_url()
    contact = _contact(url)
    if not contact.has_just_failed():
        try:
            contact.succeeded(_look(url))
        except StoreError as problem:
            contact.failed(str(problem))
    if contact.pinned is None:
        raise StoreError(contact.problem)
    st.session_state[_PIN] = contact.pinned
    return contact.pinned.status


def _look(url: str) -> _Pinned:
    for _ in range(_ATTEMPTS):
        try:
            version = current_version(url, _watcher(url))
            pinned = _opened(url, version)
        except SQLAlchemyError as problem:
            raise StoreError(f"{shown_url(url)} does not answer: {one_line(problem)}") from problem
        if pinned.version == version:
            break
        _opened.clear(url, version)  # a load ended between the two looks
    return pinned


def trouble() -> str:
    """Why the store does not answer, and of when what is shown is; "" while it answers."""
    contact = _contact(default_store_url())
    if not contact.problem or contact.pinned is None:
        return contact.problem
    seen = words.moment(contact.seen_at, contact.pinned.status.settings.zone)
    return f"{contact.problem}. Shown is what it last said, at {seen}; the page is up to date again by itself."


def unpin() -> None:
    """Forget the store: pages then get nothing."""
    st.session_state.pop(_PIN, None)


def status() -> StoreStatus:
    """What the pinned store says of itself."""
    return _pinned().status


def store_name() -> str:
    """The store's URL without its password."""
    return shown_url(default_store_url())


def warm_up() -> None:
    """Open the store and import what the first visitor would wait for; never fails."""
    try:
        _look(default_store_url())
    except Exception as problem:  # the pages say what is wrong; the server must start all the same
        _LOG.warning("store not opened yet: %s", problem)


def _pinned() -> _Pinned:
    found = st.session_state.get(_PIN)
    if found is None:
        raise StoreError("no store is open in this session; open the dashboard from its first page")
    return cast("_Pinned", found)


def _viewer() -> auth.Viewer:
    viewer = auth.current_viewer()
    if viewer is None:
        raise SignInNeededError("sign in to see this page")
    return viewer


def scoped(wanted: Filter) -> Filter:
    """The filter with all that it takes from the store and the viewer: what queries want."""
    viewer = _viewer()
    return _pinned().limited(wanted, viewer.teams, viewer.brands)


def scoped_zone() -> str:
    """The reporting zone."""
    return scoped(Filter()).zone


class _Answer:
    """What one question gave, found by whoever asks it first; others who ask it meanwhile wait for that."""

    def __init__(self) -> None:
        self._finding = threading.Lock()
        self._found: tuple[Any] | None = None

    def found(self, run: Callable[[], Any]) -> Any:
        if self._found is None:
            with turns.reruns.left(), self._finding:
                if self._found is None:
                    self._found = (run(),)
        return self._found[0]


# As it is, not as a pickle that every reader unpacks: `_ask` gives each reader frames of their own.
@st.cache_resource(max_entries=512, show_spinner=False)
def _answer(key: str) -> _Answer:
    return _Answer()


def forget_answers() -> None:
    """Have everything asked of the store again, as measurements and tests want it."""
    _answer.clear()


def _own(answer: Any) -> Any:
    """The answer with frames that may be changed: pandas copies their columns only when one is."""
    if isinstance(answer, pd.DataFrame):
        return answer.copy(deep=False)
    if isinstance(answer, tuple):
        return tuple(map(_own, answer))
    if isinstance(answer, list):
        return list(map(_own, answer))
    return {name: _own(value) for name, value in answer.items()} if isinstance(answer, dict) else answer


def _ask(query: Callable[..., Any], wanted: Any, *rest: Any, **named: Any) -> Any:
    _viewer()
    pinned = _pinned()
    arguments = (wanted, *rest) if wanted is not None else rest
    name = f"{query.__module__}.{query.__qualname__}"
    key = repr((name, pinned.url, pinned.version, arguments, sorted(named.items())))

    def run() -> Any:
        contact = _contact(pinned.url)
        if contact.problem and _watcher(pinned.url) is not None:
            raise StoreError(f"This was not asked before, and now {contact.problem}")
        try:
            return query(pinned.engine, *arguments, **named)
        except SQLAlchemyError as problem:
            _LOG.exception("query %s failed", name)
            if is_statement_timeout(problem):
                raise StoreError(
                    f"{shown_url(pinned.url)} stopped this question after {STATEMENT_SECONDS} seconds; "
                    "choose a shorter period or more filters"
                ) from problem
            if isinstance(problem, OperationalError):
                contact.failed(f"{shown_url(pinned.url)} does not answer: {one_line(problem)}")
            raise StoreError(
                f"{shown_url(pinned.url)} did not answer this question; reload the page, and if it stays so "
                "look into the server's log"
            ) from problem

    return _own(_answer(key).found(run))


def _frame(query: Callable[..., Any], wanted: Filter, *rest: Any, **named: Any) -> pd.DataFrame:
    return cast("pd.DataFrame", _ask(query, scoped(wanted), *rest, **named))


# --- one function per question -----------------------------------------------------------------------


def response_times(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """First response times; one row per group."""
    return _frame(response_times_query.response_times, wanted, by)


def reply_times(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Reply times; one row per group."""
    return _frame(response_times_query.reply_times, wanted, by)


def answer_curve(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Share answered within t; one row per group and answer time."""
    return _frame(response_times_query.answer_curve, wanted, by)


def calls(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Phone calls; one row per group."""
    return _frame(response_times_query.calls, wanted, by, short_abandon_seconds=short_abandon_seconds())


def short_abandon_seconds() -> int:
    """How soon after it began a call is given up at once: a setting in force."""
    return _pinned().status.settings.short_abandon_seconds


def resolution_times(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Resolution times where the source knows them; one row per group."""
    return _frame(response_times_query.resolution_times, wanted, by)


# What pages show side by side is counted in one pass; few combinations, so no more rows come than are shown.
_COMPLAINTS_AT_ONCE: tuple[tuple[Dimensions, ...], ...] = (
    ((), ("channel",), ("team",), ("brand",)),
    (("period",), ("weekday", "hour")),
)


def ignored_complaints(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Complaints by response state; one row per group."""
    for together in _COMPLAINTS_AT_ONCE:
        if by in together:
            found = _ask(ignored_complaints_query.ignored_complaints_by, scoped(wanted), together)
            return cast("pd.DataFrame", found[by])
    return _frame(ignored_complaints_query.ignored_complaints, wanted, by)


def ignored_worklist(wanted: Filter, limit: int | None = None, order: str = "oldest") -> pd.DataFrame:
    """Complaints still unanswered; one row per complaint."""
    return _frame(ignored_complaints_query.ignored_worklist, wanted, limit, order=order)


def definitions(wanted: Filter) -> pd.DataFrame:
    """The headlines under each competing definition; one row per question and definition."""
    return _frame(definitions_query.definitions, wanted)


def ignored_rates(wanted: Filter) -> pd.DataFrame:
    """The ignored share per complaint, conversation and customer; one row each."""
    return _frame(definitions_query.ignored_rates, wanted)


def maturity(wanted: Filter) -> pd.DataFrame:
    """What provisional periods will come to; one row per period with young complaints."""
    return _frame(maturity_query.maturity, wanted)


def funnel(wanted: Filter, by: Dimensions = ("team",)) -> pd.DataFrame:
    """In-target share against what the channel mix lets expect; one row per team or agent."""
    return _frame(teams_query.funnel, wanted, by)


def cherry_picking(wanted: Filter) -> pd.DataFrame:
    """Easier waits answered past older complaints; one row per team and channel."""
    return _frame(teams_query.cherry_picking, wanted)


def orphans(wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """Customers who wait for an agent who is gone; one row per open wait."""
    return _frame(teams_query.orphans, wanted, limit)


def standardised(wanted: Filter, by: Dimensions = ("age_group",)) -> pd.DataFrame:
    """In-target share raw and at one channel mix; one row per group."""
    return _frame(teams_query.standardised, wanted, by)


def backlog(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Who waits now; one row per group."""
    return _frame(backlog_query.backlog, wanted, by)


def backlog_and_ages(wanted: Filter) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who waits now, in one row, and by age."""
    return cast("tuple[pd.DataFrame, pd.DataFrame]", _ask(backlog_query.backlog_and_ages, scoped(wanted)))


def channel_mix(wanted: Filter) -> pd.DataFrame:
    """Where who talks; one row per age group and channel."""
    return _mix_and_users(wanted)[0]


def channel_counts(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Contacts; one row per further dimension, age group and channel."""
    return _frame(channel_mix_query.channel_counts, wanted, by)


def customers_using(wanted: Filter, channels: tuple[str, ...]) -> pd.DataFrame:
    """Customers, and those of them who used one of the channels; one row per age group."""
    return _customers_using(_mix_and_users(wanted)[1], channels)


def _mix_and_users(wanted: Filter) -> tuple[pd.DataFrame, pd.DataFrame]:
    return cast("tuple[pd.DataFrame, pd.DataFrame]", _ask(channel_mix_query.mix_and_users, scoped(wanted)))


def heard_or_not(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Where customers talk against where anybody listens; one row per group and channel."""
    return _frame(heard_or_not_query.heard_or_not, wanted, by)


def age_fairness(wanted: Filter) -> pd.DataFrame:
    """How each age group is answered, raw and at one channel mix; one row per age group."""
    return _frame(age_fairness_query.age_fairness, wanted)


def journey_of(wanted: Filter, customer_id: str) -> pd.DataFrame:
    """The whole journey of one customer; one row per conversation and wait."""
    days = _pinned().status.settings.joined_up.window_days
    return _frame(journeys_query.journeys, wanted, customer_id, repeat_days=days)


def eventful_customers(wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """Customers whom we failed on most channels; one row per customer."""
    return _frame(journeys_query.eventful_customers, wanted, limit)


def sentiment(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """How customers sound; one row per group."""
    return _frame(sentiment_query.sentiment, wanted, by)


def sentiment_at_once(wanted: Filter) -> tuple[dict[Dimensions, pd.DataFrame], pd.DataFrame]:
    """How customers sound, whole, by channel and by period; and the negative share by period with control limits."""
    return cast(
        "tuple[dict[Dimensions, pd.DataFrame], pd.DataFrame]",
        _ask(sentiment_query.sentiment_at_once, scoped(wanted)),
    )


def said_on_about(wanted: Filter) -> pd.DataFrame:
    """Where customers blame which channel; one row per channel and blamed channel."""
    return _frame(sentiment_query.said_on_about, wanted)


def recovery(wanted: Filter, by: Dimensions = ("wait_band",)) -> pd.DataFrame:
    """What waiting costs; one row per group, by default per waiting time."""
    return _frame(sentiment_query.recovery, wanted, by)


def sentiment_change(wanted: Filter) -> pd.DataFrame:
    """From opening to closing sentiment; one row per pair."""
    return _frame(sentiment_query.sentiment_change, wanted)


def rising_topics(wanted: Filter) -> pd.DataFrame:
    """Topics and words tested against the period before; rising ones first."""
    return _frame(sentiment_query.rising_topics, wanted)


def restatements(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Customers made to say it again; one row per group."""
    return _frame(restatements_query.restatements, wanted, by)


def told_again(wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """The restatements with both texts, newest first; one row each."""
    return _frame(restatements_query.told_again, wanted, limit)


def fell_silent(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Ignored customers who fell silent, against comparable answered ones; one row per group."""
    return _frame(fell_silent_query.fell_silent, wanted, by)


def changes(wanted: Filter) -> pd.DataFrame:
    """Tested changes against the period before; largest real ones first."""
    return _frame(overview_query.changes, wanted)


def windows(wanted: Filter) -> list[int]:
    """The range of days that is shown, with the setting's own."""
    return back_door_query.windows(scoped(wanted))


def back_door(wanted: Filter, by: Dimensions = ()) -> pd.DataFrame:
    """Complaints in public after a private channel failed; one row per group."""
    return _frame(back_door_query.back_door, wanted, by) if by else _back_door_at_once(wanted)[0]


def back_door_flow(wanted: Filter) -> pd.DataFrame:
    """From the private channel that failed to the public one; one row per pair."""
    return _back_door_at_once(wanted)[1]


def back_door_range(wanted: Filter) -> pd.DataFrame:
    """The back-door share for a range of days; one row per number of days."""
    return _back_door_at_once(wanted)[2]


def _back_door_at_once(wanted: Filter) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    return cast(
        "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]", _ask(back_door_query.back_door_at_once, scoped(wanted))
    )


def front_doors(wanted: Filter, by: Dimensions = ("channel",)) -> pd.DataFrame:
    """Failed private contacts and how many came out in public; one row per group."""
    return _frame(back_door_query.front_doors, wanted, by)


def repeat_contacts(wanted: Filter, by: Dimensions = (), topic: str = "fitting") -> pd.DataFrame:
    """Repeat contacts and first-contact resolution; one row per group."""
    return _frame(repeat_contacts_query.repeat_contacts, wanted, by, topic=topic)


def repeat_contacts_range(wanted: Filter, topic: str = "fitting") -> pd.DataFrame:
    """The same for a range of days; one row per number of days."""
    return _frame(repeat_contacts_query.repeat_contacts_range, wanted, topic=topic)


def filter_options() -> dict[str, list[str]]:
    """What can be chosen, per dimension, within the viewer's scope."""
    return cast("dict[str, list[str]]", _ask(options_query.filter_options, scoped(Filter())))


def store_channels() -> list[str]:
    """The channels of the store, most used first, whatever the viewer may see: who they see can use any of them."""
    everybody = scoped(Filter()).replace(scope_teams=None, scope_brands=None)
    return cast("dict[str, list[str]]", _ask(options_query.filter_options, everybody))["channel"]


def selected_rows(
    selection: Selection, limit: int | None = None, offset: int = 0, *, newest_first: bool = True
) -> pd.DataFrame:
    """Exactly the rows that a figure counted."""
    query, wanted = conversations_query.selected_rows, _in_scope(selection)
    return cast("pd.DataFrame", _ask(query, wanted, limit, offset, newest_first=newest_first))


def count_rows(selection: Selection) -> int:
    """How many rows a selection has."""
    return cast("int", _ask(conversations_query.count_rows, _in_scope(selection)))


def conversation_of(wanted: Filter, conversation_id: str) -> pd.DataFrame:
    """One conversation; empty where the viewer may not know of it."""
    return _frame(conversations_query.conversation_of, wanted, conversation_id)


def conversation_events(wanted: Filter, conversation_id: str) -> pd.DataFrame:
    """Its events in order."""
    return _frame(conversations_query.conversation_events, wanted, conversation_id)


def customer_conversations(wanted: Filter, customer_id: str) -> pd.DataFrame:
    """All conversations of one customer, on every channel."""
    return _frame(conversations_query.customer_conversations, wanted, customer_id)


def customer_facts(wanted: Filter, customer_id: str) -> pd.DataFrame:
    """Who the customer is; nothing outside the viewer's scope."""
    return _frame(conversations_query.customer_facts, wanted, customer_id)


def loads() -> pd.DataFrame:
    """Loaded files, newest first."""
    return cast("pd.DataFrame", _ask(data_quality_query.loads, None))


def rejected_rows(wanted: Filter, limit: int | None = None) -> pd.DataFrame:
    """Rejected records with reasons."""
    return _frame(data_quality_query.rejected_rows, wanted, limit)


def rejected_counts(wanted: Filter) -> tuple[int, int]:
    """How many rejected records there are, each once, and how many still stand in the newest load of their file."""
    return cast("tuple[int, int]", _ask(data_quality_query.rejected_counts, scoped(wanted)))


def rejected_later(wanted: Filter) -> Callable[[], pd.DataFrame]:
    """All rejected records, read when called."""
    _viewer()
    pinned, limited = _pinned(), scoped(wanted)
    return lambda: data_quality_query.rejected_rows(pinned.engine, limited)


def sources() -> pd.DataFrame:
    """Sources and up to when they are complete."""
    return cast("pd.DataFrame", _ask(data_quality_query.sources, None))


def coverage(wanted: Filter) -> pd.DataFrame:
    """What may be missing, and how much of it is there."""
    return _frame(data_quality_query.coverage, wanted)


def response_recorded(wanted: Filter) -> tuple[int, int]:
    """Conversations whose source can tell whether anybody answered, and all."""
    return cast("tuple[int, int]", _ask(data_quality_query.response_recorded, scoped(wanted)))


def tells_complaints(wanted: Filter) -> bool:
    """Whether a complaint of the filter would be known as one."""
    return cast("bool", _ask(data_quality_query.tells_complaints, scoped(wanted)))


def tells_public_complaints() -> bool:
    """The same of the public channels of the store, whatever the viewer may see: who they see can post there."""
    everybody = scoped(Filter(visibility="public")).replace(scope_teams=None, scope_brands=None)
    return cast("bool", _ask(data_quality_query.tells_complaints, everybody))


def shared_identities(wanted: Filter) -> pd.DataFrame:
    """Addresses and numbers that join nobody, masked."""
    return _frame(data_quality_query.shared_identities, wanted)


def unknown_time_effect(wanted: Filter) -> pd.DataFrame:
    """How far answers at an unknown time move the figures."""
    return _frame(data_quality_query.unknown_time_effect, wanted)


def check(wanted: Filter) -> list[Finding]:
    """Whether card, chart, table, drill-down and CSV agree for this filter; one finding per comparison."""
    return cast("list[Finding]", _ask(_checked, scoped(wanted)))


def _checked(engine: Engine, wanted: Filter) -> list[Finding]:
    return list(check_numbers(engine, wanted))


def is_explainable(scorer: str) -> bool:
    """Whether the words behind a stored score can be shown: only those of the scorer as installed."""
    from data_access.text import SCORER_ID, SCORER_VERSION  # noqa: PLC0415

    return scorer == f"{SCORER_ID}/{SCORER_VERSION}"


def explained(text: str, brand: str | None) -> list[tuple[str, float]]:
    """Words that make the score of `lexlinear-en`, read as the loader reads: the row's own brand never counts."""
    from data_access.loader import text_settings_of  # noqa: PLC0415  # heavy, and only for an opened text
    from data_access.text import explain  # noqa: PLC0415

    _viewer()
    plain = text_settings_of(_pinned().status.settings)
    known = tuple(sorted({*plain.brand_words, *(brand or "").lower().split()}))
    return explain(text, settings=dataclasses.replace(plain, brand_words=known))


# --- labels: kept beside the store, never cached --------------------------------------------------------


@st.cache_resource(max_entries=4, show_spinner=False, ttl=_ANNOTATIONS_SECONDS)
def _annotations(url: str) -> annotations_store.Annotations:
    return annotations_store.open_annotations(url)


def label_store() -> annotations_store.Annotations:
    """Where labels are kept, or why they cannot be."""
    _viewer()
    with turns.reruns.left():
        return _annotations(_pinned().url)


def label_sample(seed: str) -> pd.DataFrame:
    """A random sample of all texts that the viewer may read; the filter bar does not limit it."""
    return _frame(annotations_store.draw_sample, Filter(), seed=seed)


def labelled_ids() -> set[str]:
    """The interactions that have a label."""
    return set(_unless_broken(lambda: annotations_store.saved_labels(label_store()))["interaction_id"])


def save_label(interaction_id: str, sentiment_label: str, *, is_complaint: bool) -> None:
    """Keep one label of the viewer, for a text that the viewer may read."""
    viewer = _viewer()
    _unless_broken(
        lambda: annotations_store.save_label(
            label_store(),
            interaction_id,
            sentiment_label=sentiment_label,
            is_complaint=is_complaint,
            viewer=viewer.name,
        )
    )


def measured_error() -> pd.DataFrame:
    """How far the scorer is from the labels; one row per task, none without labels."""
    limited, engine = scoped(Filter()), _pinned().engine
    return _unless_broken(lambda: annotations_store.measured_error(engine, limited, label_store()))


def _unless_broken(run: Callable[[], _T]) -> _T:
    try:
        with turns.reruns.left():
            return run()
    except (SQLAlchemyError, OSError) as problem:
        _LOG.exception("labels could not be read or written")
        raise StoreError("the labels beside the store do not answer; look into the server's log") from problem


def rows_later(selection: Selection) -> Callable[[], pd.DataFrame]:
    """All rows of a selection, read when called: on a click, where no session state is at hand."""
    _viewer()
    pinned, limited = _pinned(), _in_scope(selection)
    return lambda: conversations_query.selected_rows(pinned.engine, limited)


def row_parts(
    selection: Selection, version: int, teams: tuple[str, ...] | None, brands: tuple[str, ...] | None
) -> Iterator[pd.DataFrame]:
    """The rows of a signed export link, in frames: outside any session, so who may see what comes with the link.

    Raises StoreError where the store was loaded anew since: the rows would not be those of the page.
    """
    pinned = _look(default_store_url())
    if pinned.version != version:
        raise StoreError("The store was loaded again since this page was opened. Reload it and click again.")
    limited = pinned.limited(selection.filter, teams, brands)
    return conversations_query.selected_row_parts(pinned.engine, dataclasses.replace(selection, filter=limited))


def worklist_later(wanted: Filter, order: str) -> Callable[[], pd.DataFrame]:
    """The whole worklist, read when called."""
    _viewer()
    pinned, limited = _pinned(), scoped(wanted)
    return lambda: ignored_complaints_query.ignored_worklist(pinned.engine, limited, order=order)


def eventful_later(wanted: Filter) -> Callable[[], pd.DataFrame]:
    """All customers whom we failed, read when called."""
    _viewer()
    pinned, limited = _pinned(), scoped(wanted)
    return lambda: journeys_query.eventful_customers(pinned.engine, limited)


def told_again_later(wanted: Filter) -> Callable[[], pd.DataFrame]:
    """All restatements with both texts, read when called."""
    _viewer()
    pinned, limited = _pinned(), scoped(wanted)
    return lambda: restatements_query.told_again(pinned.engine, limited)


def _in_scope(selection: Selection) -> Selection:
    return dataclasses.replace(selection, filter=scoped(selection.filter))

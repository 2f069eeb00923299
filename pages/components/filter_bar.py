"""The filter bar. The URL is the truth: it is read when it changes from outside and written when a widget does.

Streamlit's own `bind="query-params"` writes the labels of a widget, not its values, and forbids
`st.switch_page` to set them; drill-down links need both, so the few lines that keep the two in step are here.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

import streamlit as st

from data_access.filters import TURNED_ROUND, Filter
from data_access.store import StoreStatus
from data_access.vocabulary import CHANNELS, GRAINS, RESPONSE_STATES, SENTIMENTS, UNKNOWN
from data_access.zones import local
from pages.components import address, auth, theme, words
from pages.components.choices import is_choice
from pages.components.navigation import PAGES

PERIODS = {
    "7d": "Last 7 days",
    "28d": "Last 28 days",
    "90d": "Last 90 days",
    "this_month": "This month",
    "last_month": "Last month",
    "12m": "Last 12 months",
    "all": "All time",
    "custom": "Own dates",
}
CLOCKS = {"calendar": "Calendar time", "business": "Business hours"}
DEFAULT_PERIOD = "90d"
VISIBILITIES = {"all": "Public and private", "public": "Public only", "private": "Private only"}
_LISTS = {
    "channel": "channels",
    "brand": "brands",
    "team": "teams",
    "age_group": "age_groups",
    "topic": "topics",
    "sentiment": "sentiments",
    "state": "states",
}
_NAMES = ("period", "from", "to", "grain", *_LISTS, "visibility", "no_reply_needed", "clock", "as_of")
_PERIOD = ("period", "from", "to")
ROWS = "conversations"
_OWN_OF_ROWS = ("measure", "cell", "conversation", "back")
_STALE_SECONDS = 2.0
_CURRENT, _PARAMS, _NOTICES, _ADOPTED = "filter_current", "filter_params", "filter_notices", "filter_adopted"
Params = dict[str, tuple[str, ...]]


def show(status: StoreStatus, options: Mapping[str, list[str]]) -> Filter:
    """Draw the bar and give the filter it stands for (not yet limited to a viewer)."""
    choices = _choices(options)
    _follow_url(choices)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="filter_bar"):
        st.selectbox("Period", list(PERIODS), format_func=PERIODS.__getitem__, key="f_period", width=150)
        if st.session_state["f_period"] == "custom":
            st.date_input("From", key="f_from", value=None, format="YYYY-MM-DD", width=155)
            st.date_input("To", key="f_to", value=None, format="YYYY-MM-DD", width=155)
        st.selectbox("In steps of", GRAINS, format_func=str.capitalize, key="f_grain", width=110)
        st.selectbox(
            "Waits counted in",
            list(CLOCKS),
            format_func=CLOCKS.__getitem__,
            key="f_clock",
            width=150,
            help="Business hours: only the opening hours of the calendar in the settings count.",
        )
        _multiselect("Channel", "channel", choices, width=300)
        chosen = sum(bool(st.session_state[f"f_{name}"]) for name in _LISTS if name != "channel")
        chosen += st.session_state["f_visibility"] != "all"
        chosen += bool(st.session_state["f_no_reply_needed"])
        with st.popover(f"More filters ({chosen})" if chosen else "More filters", key="more_filters"):
            for name, label in (
                ("brand", "Brand"),
                ("team", "Team"),
                ("age_group", "Age group"),
                ("topic", "Topic"),
                ("sentiment", "Sentiment"),
                ("state", "Response state"),
            ):
                _multiselect(label, name, choices)
            st.selectbox(
                "Who can read it",
                list(VISIBILITIES),
                format_func=VISIBILITIES.__getitem__,
                key="f_visibility",
            )
            st.toggle(
                "Count what asks for no reply",
                key="f_no_reply_needed",
                help="Thanks, praise and closing words count as waits, too: on Response times under By definition and "
                "under Teams and agents, on Joined-up service as private contacts that failed. All other figures stay "
                "as they are: nobody waits for a reply to thanks now.",
            )
    wanted = _filter(status)
    _write_url()
    address.tell_browser()
    st.session_state[_CURRENT] = wanted
    return wanted


def notices() -> list[str]:
    """What was dropped from the URL because it could not be read, until the filter is changed."""
    return list(st.session_state.get(_NOTICES, ()))


def current() -> Filter:
    """The filter of this rerun."""
    found = st.session_state.get(_CURRENT)
    return found if isinstance(found, Filter) else Filter()


def params() -> Params:
    """The URL parameters of the filter of this rerun: what every link inside the dashboard carries."""
    return dict(st.session_state.get(_PARAMS, {}))


def params_of(wanted: Filter) -> Params:
    """URL parameters of any filter; those of the bar (with its preset) where it is the bar's own."""
    bar = current()
    if _plain(wanted) == _plain(bar):
        return params()
    found = _plain_params(wanted)
    if (wanted.date_from, wanted.date_to) == (bar.date_from, bar.date_to):
        found = {name: value for name, value in found.items() if name not in _PERIOD}
        return {**{name: value for name, value in params().items() if name in _PERIOD}, **found}
    found["period"] = ("custom",) if wanted.date_from or wanted.date_to else ("all",)
    return found


def _plain_params(wanted: Filter) -> Params:
    return {name: (value,) if isinstance(value, str) else tuple(value) for name, value in wanted.to_params().items()}


def way_back(wanted: Filter) -> str:
    """The page that is open, for the link back from rows; with its filter, where the link there changes it."""
    page = str(st.session_state.get("frontdoor_page", ""))
    if page not in PAGES or page == ROWS:
        return ""
    own = params()
    return page if params_of(wanted) == own else f"{page}?{urlencode(own, doseq=True)}"


def came_from() -> tuple[str, Params]:
    """The page from which rows were opened and the filter it had; ("", the bar's own) where it is not known.

    The address is anybody's to write: only a known page and a filter that can be read are followed.
    """
    page, has_filter, query = st.query_params.get("back", "").partition("?")
    if page not in PAGES or page == ROWS:
        return "", params()
    return page, _filter_of(query) if has_filter else params()


def before_rows() -> Params:
    """The parameters for the navigation: those of the bar, or of the page that opened rows by another filter."""
    return came_from()[1] if st.session_state.get("frontdoor_page") == ROWS else params()


def _filter_of(query: str) -> Params:
    """What can be read of the filter in an address."""
    url: Params = {name: tuple(values) for name, values in parse_qs(query).items() if name in _NAMES}
    preset = url.pop("period", ("",))[0]
    wanted, _ = Filter.from_params(url)
    found = _plain_params(wanted)
    return {"period": (preset,), **found} if preset in PERIODS else found


def without(name: str, changes: Mapping[str, tuple[str, ...]] | None = None) -> Params:
    """The bar's parameters without one, for a link that widens the filter."""
    found = {key: value for key, value in params().items() if key != name}
    return {**found, **(changes or {})}


def dates_of(preset: str, today: dt.date) -> tuple[dt.date | None, dt.date | None]:
    """First and last day of a preset, counted back from `today`, the local day of the newest complete data."""
    if preset in ("7d", "28d", "90d"):
        return today - dt.timedelta(days=int(preset[:-1]) - 1), today
    if preset == "this_month":
        return today.replace(day=1), today
    if preset == "last_month":
        last = today.replace(day=1) - dt.timedelta(days=1)
        return last.replace(day=1), last
    if preset == "12m":
        day = today - dt.timedelta(days=364)
        return day, today
    return None, None


# --- URL and widgets in step ---------------------------------------------------------------------------


def _choices(options: Mapping[str, list[str]]) -> dict[str, list[str]]:
    present = {name: list(options.get(name, ())) for name in ("channel", "brand", "team", "age_group", "topic")}
    present["age_group"] = theme.natural_order("age_group", present["age_group"])
    for name in ("brand", "team", "topic", "channel"):
        present[name] = theme.natural_order("", present[name])
    present["sentiment"] = [*SENTIMENTS, UNKNOWN]
    present["state"] = list(RESPONSE_STATES)
    return present


def _multiselect(label: str, name: str, choices: Mapping[str, list[str]], width: Any = "stretch") -> None:
    st.multiselect(
        label,
        choices[name],
        key=f"f_{name}",
        format_func=lambda raw: words.shortened(words.value(name, raw), 40),
        placeholder="All",
        width=width,
    )


def _url() -> Params:
    return {name: tuple(st.query_params.get_all(name)) for name in _NAMES if name in st.query_params}


def _values() -> dict[str, Any]:
    return {name: st.session_state.get(f"f_{name}") for name in _NAMES}


def _follow_url(choices: Mapping[str, list[str]]) -> None:
    """Take over a URL that changed from outside: first visit, link, back button. Else the widgets are right."""
    state, url = st.session_state, _url()
    adopted = state.get(_ADOPTED)
    if adopted is not None:
        for name, value in adopted["values"].items():
            state.setdefault(f"f_{name}", value)  # what was not drawn in the browser is lost on a change of page
        is_touched = _values() != adopted["values"]
        is_fresh = time.monotonic() - adopted["at"] < _STALE_SECONDS
        is_late = url == adopted["before"] and is_fresh and not address.went_back()
        if is_touched:
            state[_NOTICES] = []
        if url == state[_PARAMS] or is_touched or is_late:
            _keep_known(choices)
            return
    _adopt(url, choices)


def _adopt(url: Params, choices: Mapping[str, list[str]]) -> None:
    state = st.session_state
    wanted, found = Filter.from_params({name: list(values) for name, values in url.items() if name != "period"})
    if "as_of" in url:
        found.append(
            f"as_of={url['as_of'][0]}: the pages look as of the newest complete data; for another moment "
            "use frontdoor report --as-of"
        )
    preset = url.get("period", ("",))[0]
    if preset and preset not in PERIODS:
        found.append(f"period={preset} is none of {', '.join(PERIODS)}")
        preset = ""
    if wanted.date_from or wanted.date_to:
        preset = "custom"
    state["f_period"] = preset or DEFAULT_PERIOD
    state["f_from"], state["f_to"] = wanted.date_from, wanted.date_to
    state["f_grain"], state["f_visibility"] = wanted.grain, wanted.visibility
    state["f_clock"] = wanted.clock
    state["f_no_reply_needed"] = wanted.with_no_reply_needed
    for name, field in _LISTS.items():
        values = getattr(wanted, field)
        state[f"f_{name}"] = [value for value in values if value in choices[name]]
        found += [f"{name}={value} is not {_where()}" for value in values if value not in choices[name]]
    state[_NOTICES] = [_notice(words.shortened(text, 160)) for text in found]


def _where() -> str:
    """Where a value was looked for: who may not see all is not told what the store has beyond that."""
    viewer = auth.current_viewer()
    return "among what you may see" if viewer is None or viewer.is_limited else "in the store"


def _notice(text: str) -> str:
    """What could not be read was left out; a period that was turned round was not."""
    is_read = text.startswith(TURNED_ROUND)
    return f"{text[:1].upper()}{text[1:]}" if is_read else f"Left out of the filter: {text}"


def _keep_known(choices: Mapping[str, list[str]]) -> None:
    """Keep what the widgets hold between runs, less what a new load took away."""
    state = st.session_state
    for name in _LISTS:
        held = state[f"f_{name}"]
        kept = [value for value in held if value in choices[name]]
        if kept != held:  # assigning needlessly would race with a fast click
            state[f"f_{name}"] = kept


def _write_url() -> None:
    state = st.session_state
    wanted: Params = {}
    if state["f_period"] != DEFAULT_PERIOD:
        wanted["period"] = (state["f_period"],)
    if state["f_period"] == "custom":
        wanted |= {name: (state[f"f_{name}"].isoformat(),) for name in ("from", "to") if state.get(f"f_{name}")}
    if state["f_grain"] != "week":
        wanted["grain"] = (state["f_grain"],)
    wanted |= {name: tuple(state[f"f_{name}"]) for name in _LISTS if state[f"f_{name}"]}
    if state["f_visibility"] != "all":
        wanted["visibility"] = (state["f_visibility"],)
    if state["f_no_reply_needed"]:
        wanted["no_reply_needed"] = ("include",)
    if state["f_clock"] != "calendar":
        wanted["clock"] = (state["f_clock"],)
    before = _url()
    if wanted != before:
        others = {name: st.query_params.get_all(name) for name in st.query_params if _is_of_page(name)}
        if "back" in others:  # a filter that was chosen among the rows is taken along
            others["back"] = [others["back"][0].partition("?")[0]]
        st.query_params.from_dict({**others, **{name: list(values) for name, values in wanted.items()}})
    state[_PARAMS] = wanted
    state[_ADOPTED] = {"values": _values(), "before": before, "at": time.monotonic()}


def _is_of_page(name: str) -> bool:
    return name in _OWN_OF_ROWS or is_choice(name)


def _filter(status: StoreStatus) -> Filter:
    state = st.session_state
    if state["f_period"] == "custom":
        start, end = state.get("f_from"), state.get("f_to")
        if start and end and start > end:
            st.warning("The first day is after the last one: the period is read the other way round.")
            start, end = end, start
    elif status.as_of is None:
        start = end = None
    else:
        today = local(status.as_of, status.settings.zone).date()
        start, end = dates_of(state["f_period"], today)
    return Filter(
        date_from=start,
        date_to=end,
        grain=state["f_grain"],
        visibility=state["f_visibility"],
        with_no_reply_needed=bool(state["f_no_reply_needed"]),
        clock=state["f_clock"],
    ).replace(**{field: tuple(state[f"f_{name}"]) for name, field in _LISTS.items()})


def _plain(wanted: Filter) -> Filter:
    return wanted.replace(
        as_of=None,
        zone="",
        complete_to=(),
        business_now=(),
        unknown_time_counts_as="",
        within_days=0,
        restated_similarity=0.0,
        silent_after_days=0,
        scope_teams=None,
        scope_brands=None,
    )


__all__ = [
    "CHANNELS",
    "DEFAULT_PERIOD",
    "PERIODS",
    "before_rows",
    "came_from",
    "current",
    "dates_of",
    "notices",
    "params",
    "params_of",
    "show",
    "way_back",
]

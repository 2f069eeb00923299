"""The pages on silence in every situation and with every switch."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES
from source_files import SF311, write_files
from streamlit.testing.v1 import AppTest

from data_access.cli import main
from data_access.loader import LoadOrder, load
from data_access.queries.conversations import count_rows
from data_access.queries.definitions import definitions
from data_access.sources.mapping import mapping_of
from pages.components import silence

MAIN = Path(__file__).resolve().parents[1] / "pages" / "main.py"
PAGES = ("response_times", "ignored_complaints", "channel_mix")
SWITCHES = (
    ("response_times", {"waits_view": "definitions"}),
    ("response_times", {"waits_view": "definitions", "definition_question": "What share is answered?"}),
    ("response_times", {"waits_view": "teams"}),
    ("response_times", {"waits_view": "teams", "funnel_by": "agent"}),
    ("response_times", {"published_answered": True}),
    ("ignored_complaints", {"rate_unit": "conversation"}),
    ("ignored_complaints", {"rate_unit": "customer"}),
    ("ignored_complaints", {"published_ignored": True}),
    ("ignored_complaints", {"hours_show": "share"}),
    ("ignored_complaints", {"worklist_state": "waiting"}),
    ("ignored_complaints", {"worklist_state": "ignored"}),
    ("channel_mix", {"fairness_of": "in_hour", "heard_by": "age_group"}),
    ("channel_mix", {"fairness_of": "target", "heard_means": "seen"}),
    ("channel_mix", {"fairness_of": "median", "heard_means": "read"}),
    ("channel_mix", {"mix_channel": "email"}),
    ("channel_mix", {"published_door": "email", "published_customers": True}),
    ("channel_mix", {"published_door": "social", "published_customers": True}),
)


pytestmark = pytest.mark.usefixtures("no_earlier_answers", "nothing_set")


@pytest.fixture
def opened_page(monkeypatch: pytest.MonkeyPatch):
    """Open a page on a store with URL parameters; switches are set one after the other."""

    def _open(store: str, page: str, switches: dict[str, object] | None = None, **params: str) -> AppTest:
        monkeypatch.setenv("FRONTDOOR_STORE", store)
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        app.switch_page(f"reports/{page}.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        for name, value in (switches or {}).items():
            app.session_state[name] = value
            app.run()
        return app

    return _open


def test_conversations_whose_answers_no_source_can_tell_are_left_out_and_said(opened_page, tmp_path: Path) -> None:
    write_files(tmp_path, SF311)
    url = f"duckdb:///{tmp_path / 'store'}"
    main(["load", str(tmp_path / "cases.csv"), "--store", url])
    left_out = "Left out of every figure here: 2 of 2 conversations"
    for page in ("response_times", "ignored_complaints"):
        assert left_out in said(opened_page(url, page, period="all"))
    assert "A source without response times knows only resolution" in said(opened_page(url, "data", period="all"))


def said(app: AppTest) -> str:
    parts = [app.markdown, app.caption, app.text, app.title, app.subheader, app.info, app.warning, app.error]
    titles = [str(getattr(element.proto, "title", "")) for element in [*app.info, *app.error]]
    return (
        " ".join([*(str(e.value) for part in parts for e in part), *titles]).replace("\\", "").replace("\u00a0", " ")
    )


def drawn(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


@pytest.mark.parametrize(("page", "switches"), SWITCHES)
def test_every_switch_works_on_the_demo_store(opened_page, demo_store_url: str, page: str, switches: dict) -> None:
    app = opened_page(demo_store_url, page, switches)
    assert not app.exception
    assert not app.error
    assert 2 <= drawn(app) <= 6
    for chart in app.get("plotly_chart"):
        assert chart.proto.alt


@pytest.mark.parametrize(("page", "switches"), SWITCHES)
def test_every_switch_works_on_a_tiny_store(opened_page, tiny_store_url: str, page: str, switches: dict) -> None:
    app = opened_page(tiny_store_url, page, switches, period="all")
    assert not app.exception
    assert not app.error
    assert drawn(app) <= 6


@pytest.mark.parametrize(("page", "switches"), SWITCHES)
def test_every_switch_works_for_a_limited_viewer(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str, page: str, switches: dict
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    app = opened_page(tiny_store_url, page, switches, period="all")
    assert not app.exception
    assert "limited to your teams: Mail" in said(app)
    assert "Social" not in [str(cell) for table in app.dataframe for cell in table.value.to_numpy().ravel()]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("teams", ["", "Nobody here"])
def test_empty_stores_and_viewers_without_rows_see_why(
    opened_page, monkeypatch: pytest.MonkeyPatch, empty_store_url: str, tiny_store_url: str, page: str, teams: str
) -> None:
    if teams:
        monkeypatch.setenv("FRONTDOOR_TEAMS", teams)
    app = opened_page(tiny_store_url if teams else empty_store_url, page, period="all")
    assert not app.exception
    assert ("No " if teams else "nothing was loaded") in said(app)
    assert drawn(app) == 0


@pytest.mark.parametrize("page", PAGES)
def test_a_filter_that_matches_nothing_draws_nothing(opened_page, demo_store_url: str, page: str) -> None:
    app = opened_page(demo_store_url, page, **{"from": "2020-01-01", "to": "2020-01-31"})
    assert not app.exception
    assert drawn(app) == 0
    assert "Widen the period" in said(app)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("channel", ["phone", "twitter", "email"])
def test_one_channel_alone_works_on_every_page(opened_page, demo_store_url: str, page: str, channel: str) -> None:
    app = opened_page(demo_store_url, page, channel=channel)
    assert not app.exception
    assert not app.error


def test_the_clock_is_in_the_bar_in_the_url_and_in_the_sentence(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "response_times", period="all")
    assert app.selectbox(key="f_clock").value == "calendar"
    assert "clock" not in app.query_params
    app.selectbox(key="f_clock").select("business").run()
    assert app.query_params["clock"] == "business"
    assert "times in business hours (no opening hours in the settings: all hours count)" in said(app)
    again = opened_page(tiny_store_url, "response_times", period="all", clock="business")
    assert again.selectbox(key="f_clock").value == "business"


def test_a_clock_that_does_not_exist_is_dropped_with_a_notice(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "response_times", clock="lunar")
    assert app.selectbox(key="f_clock").value == "calendar"
    assert "clock=lunar" in said(app)


@pytest.mark.parametrize("page", ["response_times", "ignored_complaints"])
def test_the_page_says_which_targets_and_calendars_were_used(opened_page, tiny_store_url: str, page: str) -> None:
    text = said(opened_page(tiny_store_url, page, period="all"))
    assert "Targets in force: " in text
    assert "Email 8 h, ignored after 2 d" in text
    assert "No opening hours in the settings" in text


def test_published_figures_stand_there_only_when_switched_on(opened_page, demo_store_url: str) -> None:
    off = opened_page(demo_store_url, "ignored_complaints")
    on = opened_page(demo_store_url, "ignored_complaints", {"published_ignored": True})
    assert "Maritz" not in said(off)
    for part in ("71 % of Twitter complaints ignored", "Maritz/evolve24", "September 2011", "1,298 US consumers"):
        assert part in said(on)


def test_the_agents_view_says_to_whom_the_unanswered_belong(opened_page, demo_store_url: str) -> None:
    app = opened_page(demo_store_url, "response_times", {"waits_view": "teams", "funnel_by": "agent"})
    assert "belong to nobody" in said(app)
    assert "Who jumps the queue" in said(app)
    assert "Whose agent is gone" in said(app)
    assert "csv_queue_jumping" in [button.key for button in app.get("download_button")]


@pytest.mark.parametrize(
    ("page", "switches", "chart", "measure", "cell"),
    [
        ("response_times", {"waits_view": "teams"}, "funnel", "waits_target_due", "cell=team"),
        ("ignored_complaints", {}, "hours", "complaints", "cell=weekday"),
        ("ignored_complaints", {"hours_show": "share"}, "hours", "complaints_ignored_in_time", "cell=hour"),
        ("channel_mix", {"fairness_of": "target"}, "standardised", "target_due", "cell=age_group"),
        ("channel_mix", {}, "age_fairness", "first_responses", "cell=age_group"),
        ("channel_mix", {"fairness_of": "in_hour"}, "age_fairness", "hour_due", "cell=age_group"),
        ("channel_mix", {}, "heard_or_not", "first_responses", "cell=channel"),
        ("channel_mix", {"heard_by": "age_group"}, "heard_or_not", "first_responses", "cell=age_group"),
        ("channel_mix", {}, "mix_over_time", "contacts", "cell=period"),
        ("channel_mix", {}, "customers_of_door", "contacts", "cell=age_group"),
    ],
)
def test_every_mark_opens_its_rows_without_a_mouse(
    opened_page, demo_store_url: str, page: str, switches: dict, chart: str, measure: str, cell: str
) -> None:
    app = opened_page(demo_store_url, page, switches)
    app.session_state[f"behind_{chart}"] = True
    app.run()
    app.selectbox(key=f"open_{chart}").select_index(0).run()
    assert not app.exception
    opened = [link.proto.query_string for link in app.page_link if f"measure={measure}" in link.proto.query_string]
    assert any(cell in query for query in opened)


def test_who_is_heard_is_split_by_brand_where_there_are_several(
    opened_page, tiny_store_url: str, tmp_path: Path
) -> None:
    def options(app: AppTest) -> list[str]:
        return next(one.options for one in app.get("button_group") if one.key == "heard_by")

    (tmp_path / "messages.csv").write_text(TINY_MESSAGES.replace("Chat,Acme", "Chat,Bolt"), encoding="utf-8")
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    app = opened_page(url, "channel_mix", {"heard_by": "brand", "behind_heard_or_not": True}, period="all")
    assert "By brand" in options(app)
    app.selectbox(key="open_heard_or_not").select_index(0).run()
    assert not app.exception
    opened = [
        link.proto.query_string for link in app.page_link if "measure=first_responses" in link.proto.query_string
    ]
    assert any("cell=brand" in query and "cell=channel" in query for query in opened)
    assert "csv_heard_or_not" in [button.key for button in app.get("download_button")]
    assert "By brand" not in options(opened_page(tiny_store_url, "channel_mix", period="all"))


def test_who_is_heard_on_one_channel_is_said_and_not_drawn(opened_page, tiny_store_url: str) -> None:
    several = opened_page(tiny_store_url, "channel_mix", period="all")
    one = opened_page(tiny_store_url, "channel_mix", period="all", channel="email")
    assert "Only one channel here" not in said(several)
    assert "Only one channel here" in said(one)
    assert "Hollow: the channel's share" in said(several)
    assert "Hollow: the channel's share" not in said(one)


def test_the_rate_can_be_read_per_complaint_conversation_and_customer(opened_page, tiny_store_url: str) -> None:
    values = {}
    for unit in ("complaint", "conversation", "customer"):
        app = opened_page(tiny_store_url, "ignored_complaints", {"rate_unit": unit}, period="all")
        values[unit] = next(metric.label for metric in app.metric)
        assert f"per {unit}" in said(app)
    assert len(set(values.values())) == 3


def test_each_definition_opens_as_many_rows_as_it_is_counted_over(opened, tiny_store_url) -> None:
    engine, wanted = opened(tiny_store_url)
    frame = definitions(engine, wanted)
    known = {cell.label.removeprefix("Counted over: "): cell for cell in silence.definition_cells(frame)}
    assert len(known) >= 9
    for row in frame.to_dict("records"):
        if row["definition"] in known:
            number = count_rows(engine, known[row["definition"]].selection(wanted))
            answered_only = row["definition"].startswith("answered only")
            assert number == (row["numerator_count"] if answered_only else row["denominator_count"]), row["definition"]
    assert "customers whose every conversation is answered" in silence._rowless(frame)


def test_periods_that_the_filter_cuts_off_are_named_where_calls_are_counted(opened_page, demo_store_url: str) -> None:
    assert "Not whole: week of" in said(opened_page(demo_store_url, "response_times"))
    whole = {"from": "2026-10-05", "to": "2026-10-18", "channel": "phone"}
    text = said(opened_page(demo_store_url, "response_times", **whole))
    assert "offered;" in text
    assert "Not whole" not in text
    cut = said(opened_page(demo_store_url, "response_times", **{**whole, "from": "2026-10-07"}))
    assert "Not whole, so hollow: week of 5 Oct 2026." in cut


def test_what_still_has_time_is_listed_by_the_time_left(opened_page, demo_store_url: str) -> None:
    app = opened_page(demo_store_url, "ignored_complaints", {"worklist_state": "waiting"}, period="all")
    left = next(table.value["minutes_to_ignored"] for table in app.dataframe if "minutes_to_ignored" in table.value)
    assert left.is_monotonic_increasing
    assert app.session_state["waiting_order"] != "oldest"
    everything = opened_page(demo_store_url, "ignored_complaints", period="all")
    assert everything.session_state["worklist_order"] == "oldest"


def test_where_nobody_waits_there_is_no_empty_chart_of_waits(opened_page, demo_store_url: str) -> None:
    some = opened_page(demo_store_url, "response_times", period="all")
    none = opened_page(demo_store_url, "response_times", period="all", team="Phone South")
    assert "Nobody waits for a reply" in said(none)
    assert "Open waits by age" in said(none)
    alts = [[chart.proto.alt for chart in app.get("plotly_chart")] for app in (some, none)]
    assert any("open now" in alt for alt in alts[0])
    assert not any("Nobody waits" in alt for alt in alts[1])


def test_targets_are_marked_of_the_channels_that_the_filter_leaves(opened_page, demo_store_url: str) -> None:
    marked = {}
    for team in ("", "Phone South"):
        app = opened_page(demo_store_url, "response_times", period="all", **({"team": team} if team else {}))
        curve = next(chart for chart in app.get("plotly_chart") if "curve" in str(chart.proto.id))
        marked[team] = re.findall(r"target[^\"]*", str(curve.proto.spec))
    assert len(marked[""]) > 1
    assert marked["Phone South"] == ["target: Phone"]


# --- a filter that leaves one group of those that are compared ---------------------------------------------------


@pytest.mark.parametrize("of", ["answered", "in_hour", "median", "target"])
def test_one_age_group_in_the_filter_is_named_as_the_reason_why_none_is_compared(
    opened_page, demo_store_url: str, of: str
) -> None:
    text = said(opened_page(demo_store_url, "channel_mix", {"fairness_of": of}, age_group="65+"))
    assert "Too few customers of known age" not in text
    assert "No age group clearly" not in text
    assert "at every age" not in text
    assert text.count("Only one age group is in the filter, so there is no other to compare it with") == 2
    assert re.search(r"Phone used by \d+ % of those 65\+", text)


def test_several_age_groups_in_the_filter_are_compared_with_each_other_only(opened_page, demo_store_url: str) -> None:
    text = said(opened_page(demo_store_url, "channel_mix", period="all", age_group=["18-24", "65+"]))
    assert "100: as often as all customers of the ages chosen" in text
    assert "Dotted: all customers of the ages chosen as they are" in text
    everybody = re.findall(r"all customers(?! of the ages chosen)", text)
    assert len(everybody) == 1  # the heading above the index
    assert "Only one age group" not in text


def test_customers_of_unknown_age_alone_are_not_put_down_to_the_sources(opened_page, demo_store_url: str) -> None:
    text = said(opened_page(demo_store_url, "channel_mix", age_group="unknown"))
    assert "Only customers of unknown age are in the filter, so there is nothing to compare" in text
    assert "Take the age out of the filter" in text
    assert "was loaded" not in text


@pytest.mark.parametrize("is_limited", [False, True])
@pytest.mark.parametrize("team", ["Phone North", "Back office"])
def test_a_team_alone_in_the_filter_is_not_put_down_to_its_channel(
    opened_page, monkeypatch: pytest.MonkeyPatch, demo_store_url: str, team: str, is_limited: bool
) -> None:
    if is_limited:
        monkeypatch.setenv("FRONTDOOR_TEAMS", team)
    params = {} if is_limited else {"team": team}
    app = opened_page(demo_store_url, "response_times", {"waits_view": "teams"}, period="all", **params)
    text = said(app)
    where = "is known here" if is_limited else "is in the filter"
    assert f"Only one team {where}, so there is no other to compare it with" in text
    assert "shares no channel" not in text
    assert "Between the lines" not in text
    assert drawn(app) == 1  # the answer curve: a funnel of nobody would have axes that plotly made up
    assert [box.label for box in app.expander].count("Table, rows and CSV") == 2


def test_a_team_that_shares_no_channel_is_so_in_this_filter(opened_page, demo_store_url: str) -> None:
    switches = {"waits_view": "teams"}
    text = said(
        opened_page(demo_store_url, "response_times", switches, team=["Phone North", "Back office", "Social desk"])
    )
    assert "Not drawn: " in text
    assert "Phone North" in text
    assert "no channel with others in this filter, so they cannot be told apart from the channel." in text


# --- a store without texts: no complaint can be known ------------------------------------------------------------


@pytest.fixture(scope="module")
def textless_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny store without its texts and what they say: nobody knows what is a complaint."""
    folder = tmp_path_factory.mktemp("textless")
    (folder / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    read = ("text", "sentiment_label", "is_complaint", "needs_reply", "topic")
    columns = {name: column for name, column in TINY_MAPPING["columns"].items() if name not in read}
    url = f"duckdb:///{folder / 'store'}"
    load(url, [LoadOrder(folder / "messages.csv", "csv", mapping_of({"source": "tiny", "columns": columns}, "tiny"))])
    return url


@pytest.mark.parametrize(
    ("page", "switches", "times"),
    [
        ("overview", {}, 2),
        ("ignored_complaints", {}, 1),
        ("response_times", {"waits_view": "teams"}, 1),
        ("joined_up", {}, 2),
    ],
)
@pytest.mark.parametrize("teams", ["", "Mail"])
def test_without_texts_no_page_says_that_nobody_complained_or_was_ignored(
    opened_page, monkeypatch: pytest.MonkeyPatch, textless_url: str, page: str, switches: dict, times: int, teams: str
) -> None:
    if teams:
        monkeypatch.setenv("FRONTDOOR_TEAMS", teams)
    app = opened_page(textless_url, page, switches, period="all")
    assert not app.exception
    text = said(app)
    assert text.count("has a text that can be read, or a mark of its source, to tell a complaint by") >= (
        1 if page == "joined_up" and teams else times
    )
    for untrue in (
        "No complaint",
        "no complaint",
        "No older complaint",
        "Widen the period",
        "None of 0",
        "Nobody comp",
    ):
        assert untrue not in text.replace("No complaint can be told here", "").replace("No complaint in public of", "")
    if page == "overview":
        assert {card.label: card.value for card in app.metric}["Complaints ignored"] == "Not known"
        assert drawn(app) == 0


def test_a_filter_that_leaves_texts_but_no_complaint_still_says_so(opened_page, tiny_store_url: str) -> None:
    text = said(opened_page(tiny_store_url, "ignored_complaints", period="all", channel="phone"))
    assert "No complaints match: All time; channel Phone. Widen the period or remove a filter." in text
    assert "Not known" not in text


@pytest.mark.parametrize("page", ["overview", "response_times", "ignored_complaints"])
def test_where_no_source_can_tell_answers_nothing_is_said_to_be_missing(
    opened_page, tmp_path: Path, page: str
) -> None:
    write_files(tmp_path, SF311)
    url = f"duckdb:///{tmp_path / 'store'}"
    main(["load", str(tmp_path / "cases.csv"), "--store", url])
    app = opened_page(url, page, period="all")
    text = said(app)
    assert "Not known: no source of these conversations can tell whether anybody answered." in text
    assert "match: All time" not in text
    assert "Widen the period" not in text


def test_rows_of_complaints_that_cannot_be_known_say_why_there_are_none(opened_page, textless_url: str) -> None:
    app = opened_page(textless_url, "conversations", period="all", measure="complaints_ignored")
    text = said(app)
    assert "to tell a complaint by" in text
    assert "No rows match" not in text

"""Every page in every situation: full, empty, absent store; a filter that matches nothing; a limited viewer."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from data_access.cli import main
from data_access.filters import Filter
from data_access.measures import Selection
from data_access.queries.conversations import count_rows, selected_rows
from data_access.queries.data_quality import rejected_counts, rejected_rows
from data_access.queries.ignored_complaints import ignored_complaints
from data_access.store import open_reader, read_status, resolved
from pages.components import tables
from pages.components.navigation import PAGES

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / "pages" / "main.py"


pytestmark = pytest.mark.usefixtures("no_earlier_answers", "nothing_set")


@pytest.fixture
def opened_page(monkeypatch: pytest.MonkeyPatch):
    """Open a page of the dashboard on a store, with URL parameters."""

    def _open(store: str, page: str = "overview", **params: str | list[str]) -> AppTest:
        monkeypatch.setenv("FRONTDOOR_STORE", store)
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        if page != "overview":
            app.switch_page(f"reports/{page}.py")
            for name, value in params.items():
                app.query_params[name] = value
            app.run()
        return app

    return _open


def said(app: AppTest) -> str:
    """Everything a reader sees, without the backslashes that make data harmless in Markdown."""
    parts = [app.markdown, app.caption, app.text, app.title, app.subheader, app.info, app.warning, app.error]
    titles = [str(getattr(element.proto, "title", "")) for element in [*app.info, *app.error]]
    return (
        " ".join([*(str(e.value) for part in parts for e in part), *titles]).replace("\\", "").replace("\u00a0", " ")
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_full_store(opened_page, demo_store_url: str, page: str) -> None:
    app = opened_page(demo_store_url, page)
    assert not app.exception
    assert not app.error
    assert PAGES[page][1] in said(app)
    assert "Simulated company" in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_tiny_store(opened_page, tiny_store_url: str, page: str) -> None:
    app = opened_page(tiny_store_url, page)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_an_empty_store_says_why_and_what_to_do(opened_page, empty_store_url: str, page: str) -> None:
    app = opened_page(empty_store_url, page)
    assert not app.exception
    assert not app.error
    assert "Nothing is loaded yet." in said(app)
    if page != "data":
        assert "All time; everything" not in said(app)
        assert "nothing was loaded" in said(app)
        assert "frontdoor load" in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_store_every_page_says_how_to_make_one(opened_page, tmp_path: Path, page: str) -> None:
    app = opened_page(f"duckdb:///{tmp_path / 'none'}", page)
    assert not app.exception
    assert "there is no store" in said(app)
    assert "frontdoor demo" in said(app)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "data"])
def test_a_filter_that_matches_nothing_says_so_on_every_page(opened_page, tiny_store_url: str, page: str) -> None:
    app = opened_page(tiny_store_url, page, **{"from": "2020-01-01", "to": "2020-01-31"})
    assert not app.exception
    assert "match: 1 Jan 2020 to 31 Jan 2020" in said(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_viewer_limited_to_one_team_sees_only_it(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str, page: str
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    app = opened_page(tiny_store_url, page, period="all")
    assert not app.exception
    assert "limited to your teams: Mail" in said(app)
    assert app.multiselect(key="f_team").options == ["Mail"]
    assert app.multiselect(key="f_channel").options == ["Email"]


def test_the_cache_never_shows_one_viewer_the_rows_of_another(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str
) -> None:
    everything = opened_page(tiny_store_url, "conversations", period="all")
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    limited = opened_page(tiny_store_url, "conversations", period="all")
    assert len(everything.dataframe[0].value) > len(limited.dataframe[0].value)
    assert set(limited.dataframe[0].value["team"]) == {"Mail"}


def test_a_bad_value_in_the_url_is_dropped_with_a_notice_and_the_good_ones_stay(
    opened_page, tiny_store_url: str
) -> None:
    app = opened_page(tiny_store_url, channel=["email", "pigeon"], team=["Nobody here"], grain="hour", period="all")
    assert app.multiselect(key="f_channel").value == ["email"]
    assert app.selectbox(key="f_grain").value == "week"
    for notice in ("channel=pigeon", "team=Nobody here", "grain=hour"):
        assert notice in said(app)
    assert app.query_params["channel"] == "email"
    assert "team" not in app.query_params


def test_a_period_that_was_turned_round_was_not_left_out(opened_page, tiny_store_url: str) -> None:
    text = said(opened_page(tiny_store_url, **{"from": "2026-01-09", "to": "2026-01-05"}))
    assert "The period ended before it began: shown from 2026-01-05 to 2026-01-09" in text
    assert "Left out of the filter" not in text


def test_a_limited_viewer_is_told_nothing_of_what_the_store_has_beyond(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    for team in ("Social", "Nowhere"):
        text = said(opened_page(tiny_store_url, team=team))
        assert f"team={team} is not among what you may see" in text
        assert "is not in the store" not in text


def test_where_no_complaint_waits_none_is_said_to_have_time(opened_page, tiny_store_url: str) -> None:
    assert "None still has time" in said(
        opened_page(tiny_store_url, "ignored_complaints", period="all", channel="email")
    )


def test_a_filter_stays_from_page_to_page_and_is_in_the_url(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url)
    app.multiselect(key="f_channel").select("twitter").run()
    app.selectbox(key="f_grain").select("day").run()
    assert app.query_params["channel"] == "twitter"
    links = [link for link in app.page_link if link.proto.page == "response_times"]
    assert "channel=twitter" in links[0].proto.query_string
    assert "grain=day" in links[0].proto.query_string


def test_a_preset_counts_back_from_the_data_never_from_the_clock(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, period="7d")
    assert "3 Jan 2026 to 9 Jan 2026" in said(app)


def test_the_brief_compares_only_with_a_period_that_has_something(opened_page, demo_store_url: str) -> None:
    nothing = said(opened_page(demo_store_url, period="12m"))
    assert "Nothing to compare with in the 365 days before." in nothing
    assert "shares compared" not in nothing
    one_day = said(opened_page(demo_store_url, **{"from": "2026-10-05", "to": "2026-10-05"}))
    assert "the day before" in one_day
    assert "1 days" not in one_day


def test_a_change_on_a_card_is_not_denied_by_the_list_below_it(opened_page, demo_store_url: str) -> None:
    one_day = said(opened_page(demo_store_url, **{"from": "2026-10-25", "to": "2026-10-25"}))
    assert "Too few on every channel to compare with the day before." in one_day
    assert "hanged by more than chance" not in one_day


def test_one_channel_is_compared_on_the_cards_only(opened_page, tiny_store_url: str) -> None:
    text = said(opened_page(tiny_store_url, channel="email", **{"from": "2026-01-06", "to": "2026-01-09"}))
    assert "One channel only: the cards above compare it with the 4 days before." in text


def test_that_no_complaint_is_ignored_is_not_said_of_who_gave_up_without_a_complaint(
    opened_page, tiny_store_url: str
) -> None:
    text = said(opened_page(tiny_store_url, period="all", channel="phone"))
    assert "No complaint is ignored." in text
    assert "everyone was answered" not in text


def test_a_link_with_dates_means_own_dates(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, **{"from": "2026-01-05", "to": "2026-01-06"})
    assert app.selectbox(key="f_period").value == "custom"
    assert "5 Jan 2026 to 6 Jan 2026" in said(app)


def test_a_selection_opens_exactly_the_rows_that_the_report_counts(opened_page, tiny_store_url: str) -> None:
    engine = open_reader(tiny_store_url)
    wanted = resolved(Filter(), read_status(engine, tiny_store_url))
    report = ignored_complaints(engine, wanted, ("channel",)).set_index("channel")
    for channel, state in (("email", "ignored"), ("email", "answered_late"), ("twitter", "waiting")):
        measure, cell = f"complaints_{state}", (("channel", channel),)
        app = opened_page(tiny_store_url, "conversations", period="all", measure=measure, cell=f"channel={channel}")
        number = int(report.loc[channel, f"{state}_count"])
        assert number > 0
        assert len(app.dataframe[0].value) == number
        assert app.subheader[0].value.startswith(str(number))
        assert count_rows(engine, Selection(wanted, measure, cell)) == number
        assert len(selected_rows(engine, Selection(wanted, measure, cell))) == number


def test_an_unreadable_selection_is_dropped_with_a_notice(opened_page, tiny_store_url: str) -> None:
    app = opened_page(
        tiny_store_url, "conversations", period="all", measure="nonsense", cell=["colour=red", "channel=email"]
    )
    assert not app.exception
    assert "measure=nonsense" in said(app)
    assert "colour" in said(app)
    assert set(app.dataframe[0].value["channel"]) == {"Email"}


def test_the_table_of_definitions_names_no_fields(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "data", period="all")
    table = next(frame.value for frame in app.dataframe if "Definition" in frame.value)
    text = " ".join(table.astype(str).to_numpy().ravel())
    assert not re.findall(r"[a-z]+_[a-z_]+|--[a-z]+", text)


def test_a_value_that_cannot_be_is_refused_by_name(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "conversations", period="all", cell=["channel=foo", "age_group=unknown"])
    assert "Left out of the link: unknown channel 'foo'; known are phone, email" in said(app)
    assert app.subheader[0].value.endswith("age unknown")


def test_a_single_row_is_counted_as_one(opened_page, tiny_store_url: str) -> None:
    engine = open_reader(tiny_store_url)
    everything = Selection(resolved(Filter(), read_status(engine, tiny_store_url)), "contacts")
    times = selected_rows(engine, everything)["customer_id"].value_counts()
    single = times[times == 1].index[0]
    app = opened_page(tiny_store_url, "conversations", period="all", cell=f"customer={single}")
    assert re.match(r"1 conversation with us\b", app.subheader[0].value)


def test_a_cell_that_leaves_no_rows_is_named_with_a_way_back_to_all(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "conversations", period="all", cell=["channel=email", "team=Social"])
    assert "No rows match: conversations with us, channel email, team Social; All time; everything" in said(app)
    links = [link for link in app.page_link if link.label == "All conversations of this filter"]
    assert len(links) == 1
    assert "cell" not in links[0].proto.query_string


@pytest.mark.parametrize("page", ["overview", "ignored_complaints"])
def test_a_list_of_complaints_promises_a_link_and_nothing_more(opened_page, tiny_store_url: str, page: str) -> None:
    text = said(opened_page(tiny_store_url, page, period="all"))
    assert "Choose a row for a link to its conversation" in text
    assert "to open its conversation" not in text


def test_customer_text_is_shown_as_plain_text_only(opened_page, tiny_store_url: str) -> None:
    engine = open_reader(tiny_store_url)
    wanted = resolved(Filter(), read_status(engine, tiny_store_url))
    rows = selected_rows(engine, Selection(wanted, "complaints_ignored"))
    app = opened_page(tiny_store_url, "conversations", period="all", conversation=str(rows.iloc[0]["conversation_id"]))
    assert not app.exception
    assert "Nobody helps me" in [element.value for element in app.text]
    assert not any("Nobody helps me" in str(element.value) for element in [*app.markdown, *app.caption])


def test_the_text_of_another_team_is_not_shown(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str
) -> None:
    engine = open_reader(tiny_store_url)
    wanted = resolved(Filter(), read_status(engine, tiny_store_url))
    rows = selected_rows(engine, Selection(wanted, "contacts", (("team", "Social"),)))
    dora = rows[rows["channel"] == "twitter"]
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    for conversation in dora["conversation_id"]:
        app = opened_page(tiny_store_url, "conversations", period="all", conversation=str(conversation))
        assert "Still no internet" not in said(app)
        assert "Worst service" not in said(app)


def test_every_chart_has_a_table_its_rows_and_two_downloads(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "ignored_complaints", period="all")
    app.session_state["behind_ignored_by_period"] = True
    app.run()
    assert not app.exception
    assert [button.key for button in app.get("download_button") if "ignored_by_period" in (button.key or "")] == [
        "csv_ignored_by_period",
        "csv_ignored_by_period_rows",
    ]
    app.selectbox(key="open_ignored_by_period").select_index(0).run()
    opened = [link for link in app.page_link if "cell=period" in link.proto.query_string]
    assert opened
    assert "measure=complaints_due" in opened[0].proto.query_string


@pytest.mark.parametrize("page", PAGES)
def test_no_page_has_more_than_six_charts_or_eighty_lines(opened_page, demo_store_url: str, page: str) -> None:
    app = opened_page(demo_store_url, page)
    assert len(app.get("plotly_chart")) <= 6
    assert len((ROOT / "pages" / "reports" / f"{page}.py").read_text().splitlines()) <= 80


def test_every_chart_and_table_has_a_name_for_those_who_cannot_see_it(opened_page, tiny_store_url: str) -> None:
    for page in PAGES:
        app = opened_page(tiny_store_url, page, period="all")
        charts = app.get("plotly_chart")
        for element in [*charts, *app.dataframe]:
            assert element.proto.alt
        headings = [str(element.value) for element in app.markdown if str(element.value).startswith("#### ")]
        assert len(headings) >= len(charts)


@pytest.mark.parametrize(("rows", "most", "height"), [(4, 520, "content"), (200, 520, 520), (4, 0, "auto")])
def test_a_table_is_as_high_as_its_rows_up_to_a_limit(rows: int, most: int, height: int | str) -> None:
    assert tables._height(rows, most) == height


def test_no_script_stands_directly_in_pages_beside_main() -> None:
    """With scripts there, the first deep link after a start would run one without the frame and its sign-in."""
    assert [path.name for path in (ROOT / "pages").glob("*.py")] == ["__init__.py", "main.py"] or {
        path.name for path in (ROOT / "pages").glob("*.py")
    } == {"__init__.py", "main.py"}


def test_without_a_signed_in_viewer_no_page_shows_anything(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str
) -> None:
    opened_page(tiny_store_url, "ignored_complaints", period="all")  # fills the cache
    monkeypatch.setattr("pages.components.auth.current_viewer", lambda: None)
    app = opened_page(tiny_store_url, "ignored_complaints", period="all")
    assert "Sign in" in said(app)
    assert not app.metric
    assert not app.dataframe


@pytest.fixture
def store_with_rejects(tmp_path: Path) -> str:
    """A file with one good and two bad rows, loaded twice."""
    url, path = f"duckdb:///{tmp_path / 'store'}", tmp_path / "tweets.csv"
    path.write_text(
        "tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id\n"
        "1,115712,True,Tue Oct 31 22:10:47 +0000 2017,Where is it? @Shop,,\n"
        "2,115713,True,yesterday,Hello @Shop,,\nx,y\n"
    )
    for _ in range(2):
        assert main(["load", str(path), "--source", "twcs", "--store", url]) == 1
    return url


def test_the_card_of_rejected_rows_counts_each_once_and_leads_to_their_table(
    opened_page, store_with_rejects: str
) -> None:
    app = opened_page(store_with_rejects, "data", period="all")
    assert not app.exception
    assert next(metric.value for metric in app.metric if metric.label == "Rows rejected") == "2"
    tables = [element.value for element in app.dataframe if "reason" in element.value]
    assert [len(table) for table in tables] == [2]
    assert "[listed below with reasons](#rejected-rows)" in said(app)
    assert [element.proto.anchor for element in app.subheader if element.value == "Rejected rows"] == ["rejected-rows"]
    engine = open_reader(store_with_rejects)
    wanted = resolved(Filter(), read_status(engine, store_with_rejects))
    assert rejected_counts(engine, wanted) == (2, 2)
    assert rejected_rows(engine, wanted)["is_still_rejected"].tolist() == [True, True]


def test_a_limited_viewer_counts_the_rejected_rows_that_the_table_lists(
    opened_page, monkeypatch: pytest.MonkeyPatch, store_with_rejects: str
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    app = opened_page(store_with_rejects, "data", period="all")
    tables = [element.value for element in app.dataframe if "reason" in element.value]
    assert next(metric.value for metric in app.metric if metric.label == "Rows rejected") == "2"
    assert [list(table["raw"].fillna("")) for table in tables] == [["", ""]]


def _led_to(app: AppTest, label: str) -> dict[str, list[str]]:
    """The parameters of a link of a page, by the beginning of its label."""
    links = [link.proto for link in app.get("page_link") if link.proto.label.replace("\\", "").startswith(label)]
    return parse_qs(links[0].query_string)


@pytest.mark.parametrize(
    ("page", "params"),
    [
        ("overview", {"channel": ["email"]}),
        ("response_times", {"channel": ["email"], "period": ["28d"]}),
        ("channel_mix", {}),
    ],
)
def test_the_way_back_from_rows_leads_to_the_filter_one_came_with(
    opened_page, demo_store_url: str, page: str, params: dict[str, list[str]]
) -> None:
    app = opened_page(demo_store_url, page, **params)
    opened = [parse_qs(link.proto.query_string) for link in app.get("page_link")]
    changed = [found for found in opened if "?" in found.get("back", [""])[0]]
    assert changed
    for name in list(app.query_params):
        del app.query_params[name]
    app.switch_page("reports/conversations.py")
    for name, values in changed[0].items():
        app.query_params[name] = values
    app.run()
    assert not app.exception
    assert _led_to(app, f"Back to {PAGES[page][0]}") == params
    assert _led_to(app, PAGES["data"][0]) == params


@pytest.mark.parametrize(
    ("back", "found"),
    [
        (
            "overview?channel=email&channel=nowhere&conversation=c1&period=28d",
            {"channel": ["email"], "period": ["28d"]},
        ),
        ("overview?from=yesterday&period=always&as_of=2020-01-01&//evil.example", {}),
        ("//evil.example?channel=email", None),
        ("conversations?channel=email", None),
    ],
)
def test_a_way_back_written_by_hand_leads_to_a_known_page_and_filter_only(
    opened_page, demo_store_url: str, back: str, found: dict[str, list[str]] | None
) -> None:
    app = opened_page(demo_store_url, "conversations", back=back)
    assert not app.exception
    assert ("Back to" in str([link.proto.label for link in app.get("page_link")])) == (found is not None)
    if found is not None:
        assert _led_to(app, "Back to Overview") == found


def test_a_filter_chosen_among_rows_is_taken_along_on_the_way_back(opened_page, demo_store_url: str) -> None:
    app = opened_page(demo_store_url, "conversations", period="all", back="overview?channel=email")
    app.selectbox(key="f_grain").select("month").run()
    assert app.query_params["back"] in ("overview", ["overview"])
    assert _led_to(app, "Back to Overview") == {"period": ["all"], "grain": ["month"]}


@pytest.mark.parametrize("page", [name for name in PAGES if name not in ("conversations", "data")])
def test_a_filter_by_response_state_says_on_every_page_with_figures_that_it_decides_the_shares(
    opened_page, demo_store_url: str, page: str
) -> None:
    text = said(opened_page(demo_store_url, page, state=["ignored", "waiting"]))
    assert "Filtered by outcome" in text
    assert "Only what is ignored or waiting is counted" in text
    assert "100 % of complaints ignored" not in text
    if page == "overview":
        assert "Not judged" in text
        assert "Not compared" in text


def test_counting_what_asks_for_no_reply_is_said_in_the_header_and_on_the_button(
    opened_page, tiny_store_url: str
) -> None:
    app = opened_page(tiny_store_url, no_reply_needed="include", period="all", team="Mail")
    assert "waits that ask for no reply included" in said(app)
    assert "More filters (2)" in [getattr(block.proto, "popover", block.proto).label for block in app.get("popover")]


def test_a_list_of_first_responses_shows_their_state_and_apart_from_it_that_of_complaints(
    opened_page, tiny_store_url: str
) -> None:
    app = opened_page(tiny_store_url, "conversations", measure="in_target", period="all")
    listed = app.dataframe[0].value
    assert set(listed["opening_state"]) == {"Answered within target"}
    assert "Answered late" in set(listed["worst_state"])
    assert "response_state" not in listed

"""The page "Joined-up service" in every situation, with every switch, and what it says where nothing can be known."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from test_joined_up import events, order

from data_access.filters import Filter
from data_access.loader import load
from data_access.queries.back_door import back_door
from data_access.store import open_reader, read_status, resolved

MAIN = Path(__file__).resolve().parents[1] / "pages" / "main.py"
SWITCHES = (
    {},
    {"within_days": 3},
    {"repeat_topic": "any"},
    {"joined_up_ranking": "age_group"},
    {"joined_up_ranking": "repeats"},
    {"joined_up_range": "repeats"},
    {"joined_up_range": "resolved"},
)


pytestmark = pytest.mark.usefixtures("no_earlier_answers", "nothing_set")


@pytest.fixture(scope="module")
def joined_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hand-counted store of `test_joined_up`."""
    folder = tmp_path_factory.mktemp("joined")
    url = f"duckdb:///{folder / 'store'}"
    load(url, [order(folder, "joined", events())])
    return url


@pytest.fixture
def opened_page(monkeypatch: pytest.MonkeyPatch):
    """Open the page on a store; switches are set one after the other."""

    def _open(store: str, switches: dict[str, object] | None = None, **params: str) -> AppTest:
        monkeypatch.setenv("FRONTDOOR_STORE", store)
        app = AppTest.from_file(str(MAIN), default_timeout=120)
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        app.switch_page("reports/joined_up.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        for name, value in (switches or {}).items():
            app.session_state[name] = value
            app.run()
        return app

    return _open


def said(app: AppTest) -> str:
    parts = [app.markdown, app.caption, app.text, app.title, app.subheader, app.info, app.warning, app.error]
    titles = [str(getattr(element.proto, "title", "")) for element in [*app.info, *app.error]]
    return (
        " ".join([*(str(e.value) for part in parts for e in part), *titles]).replace("\\", "").replace("\u00a0", " ")
    )


def drawn(app: AppTest) -> int:
    return len(app.get("plotly_chart"))


def links(app: AppTest) -> list[str]:
    return [link.proto.query_string for link in app.page_link]


@pytest.mark.parametrize("switches", SWITCHES)
def test_every_switch_works_on_the_hand_counted_store(opened_page, joined_url: str, switches: dict) -> None:
    app = opened_page(joined_url, switches, period="all")
    assert not app.exception
    assert not app.error
    assert drawn(app) == 3
    assert all(chart.proto.alt for chart in app.get("plotly_chart"))


@pytest.mark.parametrize("switches", SWITCHES)
def test_every_switch_works_on_a_tiny_store(opened_page, tiny_store_url: str, switches: dict) -> None:
    app = opened_page(tiny_store_url, switches, period="all")
    assert not app.exception
    assert not app.error


def test_the_cards_are_the_counted_figures_and_every_link_carries_the_days(opened_page, joined_url: str) -> None:
    app = opened_page(joined_url, period="all")
    values = {metric.label: metric.value for metric in app.metric}
    assert values == {
        "Came by the back door": "38 %",
        "Repeat contacts": "41 %",
        "No further contact": "42 %",
        "Public complaints we can trace": "80 %",
    }
    assert (
        "Usual tools call this resolved, see one channel and show 100 %. "
        "4 contacts without a further one are not answered so far"
    ) in said(app)
    assert any("measure=back_door" in query and "within_days%3D7" in query for query in links(app))


@pytest.mark.parametrize(
    ("switches", "sentence"),
    [
        ({}, "known in private (8: 80 % of 10 complaints in public), by"),
        ({"joined_up_range": "repeats"}, "can be recognised (22: 100 % of 22 conversations), by"),
        ({"joined_up_range": "resolved"}, "whose days have passed (0 to 16: 0 % to 73 % of 22 conversations), by"),
        ({"joined_up_ranking": "age_group"}, "known on a private channel (80 % of 10 complaints in public), those"),
        ({"joined_up_ranking": "repeats"}, "can be recognised (100 % of 22), those"),
    ],
)
def test_every_figure_says_on_which_share_it_stands(opened_page, joined_url: str, switches, sentence) -> None:
    assert sentence in said(opened_page(joined_url, switches, period="all"))


def test_other_days_change_the_cards_the_arrows_and_the_links_together(opened_page, joined_url: str) -> None:
    app = opened_page(joined_url, {"within_days": 14}, period="all")
    engine = open_reader(joined_url)
    wanted = resolved(Filter(within_days=14), read_status(engine, joined_url))
    assert back_door(engine, wanted).iloc[0]["back_door_count"] == 4
    assert {metric.label: metric.value for metric in app.metric}["Came by the back door"] == "50 %"
    assert "in the 14 days before" in said(app)
    opened = [query for query in links(app) if "measure=back_door" in query]
    assert opened
    assert all("within_days%3D14" in query for query in opened)


def test_each_arrow_has_a_plain_link_with_its_wait(opened_page, joined_url: str) -> None:
    app = opened_page(joined_url, period="all")
    labels = [link.label.replace("\\", "").replace("\u00a0", " ") for link in app.page_link]
    assert "Email → Twitter: 2, posted after 2 d" in " ".join(labels).replace("48 h", "2 d")
    arrows = [query for query in links(app) if "front_channel" in query]
    assert len(arrows) == 2


def test_the_rows_of_an_arrow_open_on_the_page_of_rows(opened_page, joined_url: str, monkeypatch) -> None:
    monkeypatch.setenv("FRONTDOOR_STORE", joined_url)
    app = AppTest.from_file(str(MAIN), default_timeout=120)
    app.query_params["period"] = "all"
    app.run()
    app.switch_page("reports/conversations.py")
    app.query_params["period"] = "all"
    app.query_params["measure"] = "back_door"
    app.query_params["cell"] = ["front_channel=email", "channel=twitter", "within_days=7"]
    app.run()
    assert not app.exception
    assert (
        "2 complaints in public after a private contact had failed, failed on email, channel Twitter, within 7 days"
        in said(app)
    )
    assert list(app.dataframe[0].value["front_channel"]) == ["Email", "Email"]


def test_a_file_of_public_posts_alone_says_what_cannot_be_known(opened_page, tmp_path: Path) -> None:
    rows = [row for row in events() if row["channel"] == "twitter"]
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [order(tmp_path, "joined", rows)])
    app = opened_page(url, period="all")
    assert not app.exception
    text = said(app)
    assert "Only public channels are loaded" in text
    assert "The back door cannot be seen here" in text
    assert "One channel is loaded: nobody can be seen coming back on another" in text
    assert {m.label: m.value for m in app.metric}["Came by the back door"] == "Not known"
    assert "panel_back_door_flow" not in str(app)


def test_accounts_that_are_joined_to_nobody_say_so(opened_page, tmp_path: Path) -> None:
    rows = [row | {"customer": f"{row['customer']}-{row['channel']}"} for row in events()]
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [order(tmp_path, "joined", rows)])
    text = said(opened_page(url, period="all"))
    assert "the accounts are joined to nobody" in text
    assert "None of the 10 complaints in public comes from a customer known on a private channel" in text


def test_where_no_door_failed_the_page_says_how_much_that_is_worth(opened_page, joined_url: str) -> None:
    text = said(opened_page(joined_url, {"within_days": 1}, period="all"))
    assert "No private contact failed in the 1 day before any of the 8 complaints (at most 32 %" in text


def test_a_viewer_of_one_team_sees_the_failure_of_another_teams_door_without_its_rows(
    opened_page, monkeypatch: pytest.MonkeyPatch, joined_url: str
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Social")
    app = opened_page(joined_url, period="all")
    assert not app.exception
    assert {m.label: m.value for m in app.metric}["Came by the back door"] == "38 %"
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    app = opened_page(joined_url, period="all")
    assert not app.exception
    assert "None of your teams' complaints in public match" in said(app)


def test_a_viewer_of_one_channel_is_not_told_that_the_store_has_no_other(
    opened_page, monkeypatch: pytest.MonkeyPatch, joined_url: str
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Social")
    text = said(opened_page(joined_url, period="all"))
    assert "One channel is loaded" not in text
    assert "Usual tools call this resolved" in text


@pytest.mark.parametrize("channel", ["email", "twitter", "chat"])
def test_one_channel_alone_works(opened_page, joined_url: str, channel: str) -> None:
    app = opened_page(joined_url, period="all", channel=channel)
    assert not app.exception
    assert not app.error


@pytest.mark.real_data
def test_the_twitter_file_says_honestly_what_it_cannot_tell(opened_page, twcs_store_url: str) -> None:
    app = opened_page(twcs_store_url, period="all")
    assert not app.exception
    assert "Only public channels are loaded" in said(app)
    assert {m.label: m.value for m in app.metric}["Came by the back door"] == "Not known"


def test_no_door_has_a_share_where_nobody_can_be_seen_in_public(opened_page, tmp_path: Path) -> None:
    apart = [row | {"customer": f"{row['customer']}-{row['channel']}"} for row in events()]
    private = [row for row in events() if row["channel"] in ("email", "chat", "phone")]
    for name, rows, reason in (
        (
            "apart",
            apart,
            "failed contacts is of a customer whose public account is known, so nobody can be seen going",
        ),
        ("private", private, "No public channel is loaded, so nobody can be seen going public."),
    ):
        url = f"duckdb:///{tmp_path / name}"
        load(url, [order(tmp_path, name, rows)])
        app = opened_page(url, period="all")
        assert not app.exception
        assert reason in said(app)
        assert "came out in public within" not in said(app)
        assert "0 % of its failed" not in said(app)


def test_customers_who_cannot_be_recognised_are_not_called_too_recent(opened_page, tmp_path: Path) -> None:
    rows = [row | {"customer": ""} for row in events()]
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [order(tmp_path, "joined", rows)])
    for switches in ({}, {"joined_up_range": "resolved"}, {"joined_up_ranking": "repeats"}):
        app = opened_page(url, switches, period="all")
        assert not app.exception
        text = said(app)
        assert text.count("No customer can be recognised") == 3  # two cards and the list of customers
        assert "old enough to be judged. 0 contacts" not in text
        assert "without a further one are not answered" not in text
        if "joined_up_range" in switches:
            assert "No conversations of customers who can be recognised in this filter." in text
        if "joined_up_ranking" in switches:
            assert "There is nothing here to compare" in text
            assert drawn(app) == 0

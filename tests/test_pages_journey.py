"""The journey and what cannot be known, as pages show them in every situation."""

from __future__ import annotations

import pytest
import streamlit as st
from test_demo_stories import reporting
from test_pages_silence import drawn, opened_page, said  # noqa: F401

from data_access.queries.journeys import eventful_customers

pytestmark = pytest.mark.usefixtures("no_earlier_answers", "nothing_set")


@pytest.fixture
def dora(tiny_store_url: str) -> tuple[str, dict[str, str]]:
    rows = reporting(tiny_store_url)("conversations").set_index("external_id")
    return str(rows.loc["c4", "customer_id"]), rows["conversation_id"].to_dict()


def test_an_opened_conversation_shows_the_journey_of_its_customer(opened_page, tiny_store_url, dora) -> None:  # noqa: F811
    app = opened_page(tiny_store_url, "conversations", period="all", conversation=dora[1]["c4"])
    assert not app.exception
    assert drawn(app) == 1
    assert "This customer's journey: 2 conversations on 2 channels: beyond the target twice" in said(app)
    assert "Still no internet!" in said(app)
    app.session_state["behind_journey"] = True
    app.run()
    assert "csv_journey" in [button.key for button in app.get("download_button")]


def test_a_customer_can_be_opened_by_link_without_knowing_a_conversation(opened_page, tiny_store_url, dora) -> None:  # noqa: F811
    app = opened_page(tiny_store_url, "conversations", period="all", cell=f"customer={dora[0]}")
    assert not app.exception
    assert "of one customer" in said(app)
    assert dora[0] not in said(app)
    assert "This customer's journey" in said(app)


def test_a_customer_with_one_conversation_has_no_time_line(opened_page, tiny_store_url, dora) -> None:  # noqa: F811
    app = opened_page(tiny_store_url, "conversations", period="all", conversation=dora[1]["c1"])
    assert not app.exception
    assert drawn(app) == 0


def test_a_limited_viewer_sees_the_other_teams_steps_without_their_words(
    opened_page,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tiny_store_url,
    dora,
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Social")
    app = opened_page(tiny_store_url, "conversations", period="all", conversation=dora[1]["c4"])
    assert not app.exception
    assert "Of other teams' conversations only channel, time and state" in said(app)
    app.session_state["behind_journey"] = True
    app.run()
    shown = " ".join(str(cell) for table in app.dataframe for cell in table.value.to_numpy().ravel())
    assert "Answered late" in shown
    assert "Calling about the internet" not in said(app) + shown
    st.cache_data.clear()
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    app = opened_page(tiny_store_url, "conversations", period="all", conversation=dora[1]["c4"])
    assert drawn(app) == 0


def test_a_store_without_ages_says_what_cannot_be_known_and_draws_no_age(opened_page, twcs_store_url) -> None:  # noqa: F811
    app = opened_page(twcs_store_url, "channel_mix", period="all")
    assert not app.exception
    assert "The age of these customers is not known" in said(app)
    assert "no birth date, birth year or age group" in said(app)
    assert drawn(app) == 1
    assert "Only one channel here" in said(app)


def test_the_answers_by_age_say_how_much_is_channel_and_what_the_unknown_could_change(
    opened_page,  # noqa: F811
    demo_store_url,
) -> None:
    app = opened_page(demo_store_url, "channel_mix", {"fairness_of": "in_hour"}, period="all")
    text = said(app)
    assert "65+ are answered within an hour" in text
    assert "less often than all customers" in text
    assert "of the gap is channel" in text
    assert "are of unknown age." in text
    assert "if all were" not in text
    assert drawn(app) == 6
    answered = said(opened_page(demo_store_url, "channel_mix", period="all"))
    assert "are of unknown age: if all were" in answered


def test_the_most_eventful_journeys_open_by_link(demo_store_url, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("FRONTDOOR_STORE", demo_store_url)
    demo = reporting(demo_store_url)
    first = eventful_customers(demo.engine, demo.wanted, 1).iloc[0]["customer_id"]

    def shown() -> None:
        import streamlit as st

        from data_access.filters import Filter
        from pages.components import data, journey

        st.session_state["frontdoor_page"] = "overview"
        data.pin()
        journey.eventful(Filter())

    opened: list[object] = []
    monkeypatch.setattr(st, "page_link", lambda *_, query_params, **__: opened.append(query_params["cell"]))
    app = AppTest.from_function(shown, default_timeout=60).run()
    assert not app.exception
    assert "One customer was left without an answer" in said(app)
    assert opened == [[f"customer={first}"]]
    assert "customer_id" not in app.dataframe[0].value.columns
    assert "complaint or not, was ignored (calls given up included)" in said(app)
    assert "The first 8; the CSV has all." in said(app)

"""The sentiment page, labelling, the self-audit and how a text was read, in every situation."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from data_access.annotations import open_annotations, saved_labels
from data_access.audit import Finding
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection
from data_access.queries.conversations import count_rows, selected_rows
from data_access.queries.sentiment import recovery, said_on_about, sentiment_trend
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved
from pages.components import data

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / "pages" / "main.py"
MESSAGES = """\
id,customer,channel,team,occurred_at,text
1,a,email,Mail,2026-01-05T09:00:00Z,This is terrible and nobody answers me *please* [x](http://e.example)
2,b,email,Mail,2026-01-05T10:00:00Z,Thank you so much it is wonderful
3,c,email,Mail,2026-01-05T11:00:00Z,What time do you open on Sunday?
4,d,twitter,Social,2026-01-05T12:00:00Z,The worst service I ever had: hours on the phone and I want a refund
5,e,sms,Social,2026-01-05T13:00:00Z,
"""


pytestmark = pytest.mark.usefixtures("no_earlier_answers", "nothing_set")


@pytest.fixture
def opened_page(monkeypatch: pytest.MonkeyPatch):
    def _open(store: str, page: str = "sentiment_trends", **params: str | list[str]) -> AppTest:
        monkeypatch.setenv("FRONTDOOR_STORE", store)
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        app.run()
        app.switch_page(f"reports/{page}.py")
        for name, value in params.items():
            app.query_params[name] = value
        app.run()
        return app

    return _open


@pytest.fixture
def own_store_url(tmp_path: Path) -> str:
    """Five texts that our scorer reads, in a store of the test's own: labels may be written beside it."""
    file = tmp_path / "m.csv"
    file.write_text(MESSAGES, encoding="utf-8")
    columns = {name: name for name in ("id", "customer", "channel", "team", "occurred_at", "text")}
    url = f"duckdb:///{tmp_path / 'store'}"
    load(url, [LoadOrder(file, "csv", mapping_of({"source": "mail", "columns": columns}, "test"))])
    return url


def said(app: AppTest) -> str:
    parts = [app.markdown, app.caption, app.text, app.title, app.subheader, app.info, app.warning, app.error]
    return " ".join(str(e.value) for part in parts for e in part).replace("\\", "").replace("\u00a0", " ")


def label_next(app: AppTest, sentiment: str | None, complaint: bool | None) -> None:
    if sentiment is not None:
        next(radio for radio in app.radio if radio.key.startswith("label_sentiment")).set_value(sentiment)
    if complaint is not None:
        next(radio for radio in app.radio if radio.key.startswith("label_complaint")).set_value(complaint)
    next(button for button in app.button if button.label == "Save and next").click()
    app.run()


# --- the sentiment page ---------------------------------------------------------------------------------


def test_the_page_shows_six_charts_and_four_cards_and_says_how_far_levels_may_be_off(
    opened_page, demo_store_url: str
) -> None:
    app = opened_page(demo_store_url)
    assert not app.exception
    assert len(app.get("plotly_chart")) == 6
    labels = [metric.label for metric in app.metric]
    assert labels == ["Open negative", "Net sentiment", "Recovered after an answer", "Could not be scored"]
    assert "Levels may be off by about 10 points; ranking and trend hold" in said(app)
    assert "Usual share and limits (Laney p′) are those of" in said(app)


def test_the_trend_switches_between_negative_share_and_net_sentiment(opened_page, demo_store_url: str) -> None:
    app = opened_page(demo_store_url)
    app.button_group(key="trend_of").set_value("net").run()
    assert not app.exception
    assert "Positive less negative share" in said(app)
    assert len(app.get("plotly_chart")) == 6


@pytest.mark.parametrize("split", ["topic", "brand", "age_group"])
def test_one_selector_splits_the_negative_share(opened_page, demo_store_url: str, split: str) -> None:
    app = opened_page(demo_store_url)
    app.button_group(key="by").set_value(split).run()
    assert not app.exception
    assert f"by {split.replace('_', ' ')}; under 30 greyed" in said(app)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"period": "all"}, "Choose a period with two ends"),
        ({"period": "12m"}, "No conversation in the period before"),
        ({"from": "2020-01-01", "to": "2020-01-31"}, "match: 1 Jan 2020"),
    ],
)
def test_nothing_to_compare_score_or_show_is_said(opened_page, demo_store_url: str, params, words: str) -> None:
    app = opened_page(demo_store_url, **params)
    assert not app.exception
    assert not app.error
    assert words in said(app)


def test_where_nothing_could_be_scored_the_page_says_why(opened_page, own_store_url: str) -> None:
    app = opened_page(own_store_url, period="all", channel="sms")
    assert not app.exception
    assert "No opening could be scored" in said(app)
    assert [metric.value for metric in app.metric][-1] == "1"


def test_a_tiny_store_a_limited_viewer_and_every_grain_work(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str
) -> None:
    for grain in ("day", "week", "month", "quarter"):
        assert not opened_page(tiny_store_url, period="all", grain=grain).exception
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Mail")
    app = opened_page(tiny_store_url, period="all")
    assert not app.exception
    assert "limited to your teams: Mail" in said(app)


def test_cells_of_the_heat_map_and_wait_bands_open_exactly_the_rows_they_count(
    opened_page, demo_store_url: str
) -> None:
    engine = open_reader(demo_store_url)
    wanted = resolved(Filter(), read_status(engine, demo_store_url))
    blamed = said_on_about(engine, wanted).iloc[0]
    waits = recovery(engine, wanted).iloc[-1]
    for number, measure, cell in (
        (
            int(blamed["conversation_count"]),
            "blaming",
            (("channel", blamed["channel"]), ("blamed_channel", blamed["blamed_channel"])),
        ),
        (int(waits["written_again_count"]), "written_again", (("wait_band", waits["wait_band"]),)),
    ):
        assert count_rows(engine, Selection(wanted, measure, cell)) == number
        shown = [f"{key}={value}" for key, value in cell]
        app = opened_page(demo_store_url, "conversations", period="all", measure=measure, cell=shown)
        assert not app.exception
        assert app.subheader[0].value.startswith(f"{number:,}")


def test_the_heat_map_is_opened_by_keyboard_from_the_table_behind_it(opened_page, demo_store_url: str) -> None:
    app = opened_page(demo_store_url, period="all")
    app.session_state["behind_said_on_about"] = True
    app.run()
    choice = app.selectbox(key="open_said_on_about")
    assert any(" about " in option for option in choice.options)
    choice.select_index(0).run()
    assert not app.exception
    assert any("cell=blamed_channel" in link.proto.query_string for link in app.page_link)


# --- labelling ------------------------------------------------------------------------------------------


def test_weeks_that_the_filter_cuts_off_are_named_and_not_the_latest(opened_page, demo_store_url: str) -> None:
    text = said(opened_page(demo_store_url, **{"from": "2026-10-05", "to": "2026-10-20"}))
    assert "open negative in the latest full week" in text
    assert "Not whole, so hollow: week of 19 Oct 2026." in text


def test_a_manager_labels_one_text_after_the_other_and_sees_the_error(opened_page, own_store_url: str) -> None:
    app = opened_page(own_store_url, "data")
    assert not app.exception
    assert "Nothing is labelled yet" in said(app)
    for _ in range(4):
        assert not any("The scorer read it as" in text.value for text in app.text if "Saved" not in text.value)
        label_next(app, "negative", True)
        assert not app.exception
    assert "This sample is done" in said(app)
    assert "Saved: negative, complaint. The scorer read it as" in said(app)
    labels = saved_labels(open_annotations(own_store_url))
    assert len(labels) == 4
    assert set(labels["sentiment_label"]) == {"negative"}
    assert "Sentiment: 2 of 4 labels agree: too few to say" in said(app)
    assert "4 texts labelled so far" in said(opened_page(own_store_url, period="all"))


def test_the_text_to_label_is_plain_text_and_its_score_is_not_shown(opened_page, own_store_url: str) -> None:
    app = opened_page(own_store_url, "data")
    texts = [line.split(",", 5)[5] for line in MESSAGES.splitlines()[1:5]]
    shown = [text.value for text in app.text if text.value in texts]
    assert len(shown) == 1
    assert not any(shown[0] in str(element.value) for element in [*app.markdown, *app.caption])
    assert not any("scorer read" in text.value for text in app.text)
    assert [radio.value for radio in app.radio] == [None, None]


def test_half_a_label_is_not_saved(opened_page, own_store_url: str) -> None:
    app = opened_page(own_store_url, "data")
    label_next(app, "negative", None)
    assert "Choose how the customer sounds" in said(app)
    assert saved_labels(open_annotations(own_store_url)).empty


def test_a_limited_viewer_labels_only_texts_of_the_own_team(
    opened_page, monkeypatch: pytest.MonkeyPatch, own_store_url: str
) -> None:
    monkeypatch.setenv("FRONTDOOR_TEAMS", "Social")
    app = opened_page(own_store_url, "data")
    label_next(app, "negative", True)
    assert "This sample is done" in said(app)
    assert len(saved_labels(open_annotations(own_store_url))) == 1


def test_where_labels_cannot_be_kept_the_page_says_why(
    opened_page, monkeypatch: pytest.MonkeyPatch, own_store_url: str
) -> None:
    monkeypatch.setattr("data_access.annotations.os.access", lambda *_: False)
    app = opened_page(own_store_url, "data")
    assert not app.exception
    assert "Texts cannot be labelled here" in said(app)
    assert "cannot be written by this process" in said(app)
    assert not app.radio
    assert "Levels may be off by about 10 points" in said(opened_page(own_store_url, period="all"))


def test_with_enough_labels_the_sentiment_page_uses_the_measured_error(
    opened_page, monkeypatch: pytest.MonkeyPatch, own_store_url: str
) -> None:
    monkeypatch.setattr("pages.components.findings_sentiment.SMALL_SAMPLE", 4)
    app = opened_page(own_store_url, "data")
    for _ in range(4):
        label_next(app, "negative", True)
    shown = said(opened_page(own_store_url, period="all"))
    assert "measured on 4 labelled texts: the scorer calls 50 points less negative than people do" in shown


def test_scores_of_a_source_are_not_judged(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "data")
    assert not app.exception
    assert "There is no text to label" in said(app)


# --- the self-audit -------------------------------------------------------------------------------------


def test_checking_the_numbers_says_that_all_agree(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "data", period="all")
    assert "All fine" not in said(app)
    app.button(key="check_numbers").click().run()
    assert not app.exception
    assert "All fine" in said(app)


def test_a_number_that_does_not_agree_is_named(
    opened_page, monkeypatch: pytest.MonkeyPatch, tiny_store_url: str
) -> None:
    wrong = [Finding("waits: figure = drill-down", False, "3 and 4"), Finding("other", True, "1 and 1")]
    data.forget_answers()  # it has been asked before
    monkeypatch.setattr("pages.components.data.check_numbers", lambda *_: iter(wrong))
    app = opened_page(tiny_store_url, "data", period="all")
    app.button(key="check_numbers").click().run()
    assert "1 of 2 comparisons do not agree" in said(app)
    assert "waits: figure = drill-down: 3 and 4" in said(app)
    data.forget_answers()


def test_the_audit_is_gone_when_the_filter_changes(opened_page, tiny_store_url: str) -> None:
    app = opened_page(tiny_store_url, "data", period="all")
    app.button(key="check_numbers").click().run()
    app.multiselect(key="f_channel").select("email").run()
    assert "All fine" not in said(app)


# --- how a text was read --------------------------------------------------------------------------------


def conversation_on(url: str, channel: str, place: int = 0) -> str:
    engine = open_reader(url)
    wanted = resolved(Filter(), read_status(engine, url))
    rows = selected_rows(engine, Selection(wanted, "contacts", (("channel", channel),)), newest_first=False)
    return str(rows.iloc[place]["conversation_id"])


def test_a_read_text_shows_the_words_and_cues_that_made_its_score(opened_page, own_store_url: str) -> None:
    conversation = conversation_on(own_store_url, "twitter")
    app = opened_page(own_store_url, "conversations", period="all", conversation=conversation)
    before = len(app.dataframe)
    app.session_state[f"read_{conversation}_0"] = True
    app.run()
    assert not app.exception
    assert "Read by lexlinear-en/1" in said(app)
    assert len(app.dataframe) == before + 2
    made, cues = app.dataframe[-2].value, app.dataframe[-1].value
    assert "worst" in " ".join(made["Words"])
    assert any(str(name).startswith("Complaint") for name in cues["Read as"])


def test_an_empty_text_says_why_it_has_no_score(opened_page, own_store_url: str) -> None:
    engine = open_reader(own_store_url)
    wanted = resolved(Filter(), read_status(engine, own_store_url))
    rows = selected_rows(engine, Selection(wanted, "not_scored"))
    app = opened_page(own_store_url, "conversations", period="all", conversation=str(rows.iloc[0]["conversation_id"]))
    assert not app.exception
    assert "Not scored: empty" in said(app)


def test_a_supplied_sentiment_is_called_supplied(opened_page, tiny_store_url: str) -> None:
    conversation = conversation_on(tiny_store_url, "twitter")
    app = opened_page(tiny_store_url, "conversations", period="all", conversation=conversation)
    assert not app.exception
    assert "supplied by the source" in said(app)


def test_the_caption_of_the_trend_says_which_periods_its_limits_stand_on(opened_page, demo_store_url: str) -> None:
    engine = open_reader(demo_store_url)
    wanted = resolved(Filter(grain="week"), read_status(engine, demo_store_url))
    weeks = sentiment_trend(engine, wanted)["period"].dt.date.tolist()
    for begin, stands_on in (
        (weeks[0], f"the first {len(weeks) // 2} of the {len(weeks)} weeks shown"),
        (weeks[3], f"the 3 weeks before the chosen period and the first {len(weeks) // 2 - 3} of the "),
        (weeks[10], "the 10 weeks before the chosen period; another period has others"),
    ):
        shown = sentiment_trend(engine, wanted.replace(date_from=begin))
        assert (shown["baseline_shown_count"] <= shown["baseline_count"]).all()
        text = said(opened_page(demo_store_url, **{"from": begin.isoformat(), "to": weeks[-1].isoformat()}))
        assert f"are those of {stands_on}" in text.replace("\u00a0", " ")

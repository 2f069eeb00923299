"""Charts and sentences of joined-up service, on frames made by hand."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from data_access.measures import MEASURES
from pages.components import charts, charts_joined_up, theme
from pages.components import findings_joined_up as said

FLOW = pd.DataFrame(
    {
        "front_channel": ["email", "phone", "email"],
        "channel": ["twitter", "twitter", "facebook"],
        "back_door_count": [6, 3, 1],
        "p25_minutes_waited": [1440.0, 30.0, 60.0],
        "median_minutes_waited": [2880.0, 60.0, 60.0],
        "p75_minutes_waited": [4320.0, 90.0, 60.0],
    }
)
RANGE = pd.DataFrame(
    {
        "within_days": [1, 7, 30],
        "known_private_count": [20, 40, 40],
        "back_door_share": [0.1, 0.25, 0.5],
        "back_door_share_low": [0.02, 0.14, 0.35],
        "back_door_share_high": [0.3, 0.4, 0.65],
        "is_ours": [False, True, False],
    }
)
TOTAL = pd.Series(
    {
        "public_complaint_count": 50,
        "known_private_count": 40,
        "known_private_share": 0.8,
        "back_door_count": 10,
        "back_door_share_high": 0.09,
    }
)


def texts(figure) -> list[str]:
    return [annotation.text for annotation in figure.layout.annotations]


def test_arrows_are_as_wide_as_complaints_and_colours_are_those_of_the_channels():
    figure = charts_joined_up.back_door_sankey(FLOW)
    (sankey,) = figure.data
    ends = list(zip(sankey.link.source, sankey.link.target, sankey.link.value, strict=True))
    assert sorted(ends) == [(0, 2, 6), (0, 3, 1), (1, 2, 3)]  # email and phone at the left, largest first
    hues = [theme.CHANNEL_COLORS[name] for name in ("email", "phone", "twitter", "facebook")]
    assert list(sankey.node.color) == hues
    assert sankey.link.color[0] == charts._faded(theme.CHANNEL_COLORS["email"], 0.32)
    assert sankey.arrangement == "fixed"


def test_every_arrow_says_its_count_and_wait_and_a_thin_one_on_hover_only():
    figure = charts_joined_up.back_door_sankey(FLOW)
    assert {"6 · 2 d", "3 · 1 h"} <= set(texts(figure))
    assert {"Email <b>7</b>", "Phone <b>3</b>", "Twitter <b>9</b>", "Facebook <b>1</b>"} <= set(texts(figure))
    assert all("half posted" in text for text in figure.data[0].link.customdata)
    thin = pd.concat([FLOW.assign(back_door_count=[600, 300, 1])])
    assert not any(text.startswith("1 · ") for text in texts(charts_joined_up.back_door_sankey(thin)))


def test_nodes_and_arrows_fit_into_the_height_without_overlap():
    figure = charts_joined_up.back_door_sankey(FLOW, height=300)
    node = figure.data[0].node
    inner = 300 - figure.layout.margin.t - figure.layout.margin.b
    scale = (inner - node.pad) / 10
    for side in ((0, 7), (1, 3)), ((2, 9), (3, 1)):
        edges = [(node.y[place] * inner - n * scale / 2, node.y[place] * inner + n * scale / 2) for place, n in side]
        assert edges[0][0] >= -0.01
        assert edges[1][1] <= inner + 0.01
        assert edges[1][0] - edges[0][1] == pytest.approx(node.pad)


def test_an_empty_flow_or_range_gives_an_empty_figure():
    assert not charts_joined_up.back_door_sankey(FLOW.head(0)).data
    assert not charts_joined_up.share_by_window_line(RANGE.head(0), "back_door_share", "x", measure="back_door").data


def test_the_range_fills_the_setting_greys_the_few_and_opens_each_number_of_days():
    figure = charts_joined_up.share_by_window_line(
        RANGE, "back_door_share", "known_private_count", measure="back_door"
    )
    (line,) = figure.data
    assert [list(cell) for cell in line.customdata] == [["back_door", f"within_days={n}"] for n in (1, 7, 30)]
    assert list(line.marker.color) == ["rgba(128,138,148,0.25)", theme.ACCENT, "rgba(128,138,148,0.25)"]
    assert line.marker.line.color[0] == theme.CONTEXT
    assert list(line.error_y.array) == pytest.approx([0.2, 0.15, 0.15])


def test_the_rival_stands_beside_in_grey_with_its_own_interval():
    frame = RANGE.assign(
        rival_share=[0.9, 0.8, 0.7], rival_share_low=[0.8, 0.7, 0.6], rival_share_high=[1.0, 0.9, 0.8]
    )
    figure = charts_joined_up.share_by_window_line(
        frame, "back_door_share", "known_private_count", measure="back_door", rival="rival_share"
    )
    assert [trace.line.color for trace in figure.data] == [theme.CONTEXT, theme.ACCENT]
    assert figure.data[0].line.dash == "dot"


def test_every_mark_of_a_figure_can_be_given_its_days():
    frame = pd.DataFrame(
        {"channel": ["email"], "s": [0.5], "s_low": [0.3], "s_high": [0.7], "n": [40]},
    )
    figure = charts_joined_up.within(charts.share_bar(frame, "channel", "s", "n", measure="failed_contacts"), 14)
    assert [list(cell) for cell in figure.data[0].customdata] == [
        ["failed_contacts", "channel=email", "within_days=14"]
    ]
    assert "failed_contacts" in MEASURES


def test_the_finding_names_the_door_that_failed_most_and_the_widest_arrow():
    text = said.flow(FLOW, TOTAL, 7)
    assert text.startswith("Email failed before 7 of 10; widest, email to Twitter: half posted ")
    none = said.flow(FLOW.head(0), TOTAL, 1)
    assert (
        none
        == "No private contact failed in the 1 day before any of the 40 complaints (at most 9.0 % of such complaints)"
    )
    assert "80 % of 50 complaints in public" in said.flow_counted(TOTAL, 7)


@pytest.mark.parametrize(
    ("known", "public", "channels", "is_limited", "words"),
    [
        (3, 5, ["email", "twitter"], False, ""),
        (0, 5, ["twitter"], False, "Only public channels are loaded"),
        (0, 5, ["twitter", "email"], False, "joined to nobody"),
        (0, 5, ["twitter"], True, "Only public channels are loaded"),
        (0, 5, ["twitter", "email"], True, "joined to nobody"),
        (0, 0, ["email"], False, "No public channel is loaded"),
        (0, 0, ["email", "twitter"], False, "No complaint in public matches"),
        (0, 0, ["email"], True, "None of your teams' complaints"),
    ],
)
def test_what_cannot_be_known_is_said_with_its_reason(known, public, channels, is_limited, words):
    total = pd.Series({"known_private_count": known, "public_complaint_count": public})
    text = said.back_door_unknown(total, channels, is_limited=is_limited)
    assert words in text
    assert bool(text) == (known == 0)
    untold = said.back_door_unknown(total, channels, is_limited=is_limited, complaints_unknown="Not known: no text.")
    assert untold == ("Not known: no text." if not public else text)


def test_the_worst_door_is_named_only_where_one_can_be_judged():
    frame = pd.DataFrame(
        {
            "channel": ["sms", "email", "phone"],
            "failed_contact_count": [8, 100, 40],
            "known_public_count": [4, 50, 20],
            "came_out_share": [0.5, 0.2, 0.25],
            "came_out_share_low": [0.2, 0.13, 0.1],
        }
    )
    assert said.doors(frame, 7) == "Email: 20 % of its failed contacts came out in public within 7 days"
    assert said.doors(frame.head(1), 7).startswith("Too few failed contacts")
    assert "for 50 % of them a public account is known" in said.doors_counted(frame)
    assert "Not drawn" not in said.doors_counted(frame)


def test_a_door_whose_customers_cannot_be_seen_in_public_has_no_share():
    frame = pd.DataFrame(
        {"channel": ["sms", "email"], "failed_contact_count": [80, 1000], "known_public_count": [40, 0]}
    )
    assert frame[said.has_public_account(frame)]["channel"].tolist() == ["sms"]
    assert said.doors_counted(frame).endswith(
        "Not drawn: email (1,000), as no public account of these customers is known."
    )
    both = ["email", "sms", "twitter"]
    assert said.doors_unknown(frame, both, tells_complaints=True) == ""
    assert said.doors_unknown(frame, ["email", "sms"], tells_complaints=True) == said.NO_PUBLIC
    assert "to tell a complaint by" in said.doors_unknown(frame, both, tells_complaints=False)
    assert said.doors_unknown(frame.tail(1), both, tells_complaints=True).startswith(
        "None of the 1,000 failed contacts is of a customer whose public account is known"
    )


def test_why_no_first_contact_is_judged_is_said():
    again = {"recognisable_count": 0, "no_further_contact_share": float("nan")}
    again["no_further_contact_same_channel_share"] = float("nan")
    assert said.resolution(again, 2) == said.resolution(again, 1) == "No customer can be recognised"
    again["recognisable_count"] = 5
    assert said.resolution(again, 2) == "No first contact is old enough to be judged"


def test_sources_that_ended_long_before_are_named():
    end = dt.datetime(2026, 3, 20)
    ended = said.stopped((("crm", dt.datetime(2026, 3, 1)), ("social", end)), end, 7)
    assert ended == " Not seen after their data ends: crm (1 Mar 2026)."
    assert said.stopped((("social", end),), end, 7) == ""


def test_the_chosen_number_of_days_is_said_once():
    def title(frame):
        return said.by_window(frame, "back_door_share", "came by the back door")

    assert title(RANGE) == "25 % came by the back door within 7 days; 10 % within 1 day, 50 % within 30 days"
    first, last = (RANGE.assign(is_ours=[place == end for place in range(3)]) for end in (0, 2))
    assert title(first) == "10 % came by the back door within 1 day; 50 % within 30 days"
    assert title(last) == "50 % came by the back door within 30 days; 10 % within 1 day"
    assert title(first.head(1)) == "10 % came by the back door within 1 day"
    young = RANGE.assign(back_door_share=[0.1, 0.25, float("nan")])
    assert title(young) == "25 % came by the back door within 7 days; 10 % within 1 day"
    too_young = young.assign(is_ours=last["is_ours"])
    assert title(too_young) == "Nothing to judge within 30 days; 10 % within 1 day, 25 % within 7 days"
    assert title(RANGE.assign(back_door_share=float("nan"))) == "Nothing to judge for any number of days"

import streamlit as st

from pages.components import cards, charts_sentiment, data, empty, filter_bar, headlines, panel, recovered
from pages.components import findings_sentiment as findings
from pages.components.choices import one_of
from pages.components.selection import Cell, cells

SHARE, SCORED = "negative_share", "scored_count"
FIGURES = {"negative": "Negative share", "net": "Net sentiment"}
SPLITS = {"channel": "Channel", "topic": "Topic", "brand": "Brand", "age_group": "Age group"}

wanted = filter_bar.current()
tone, trend = data.sentiment_at_once(wanted)
total = tone[()].iloc[0]
if not total["scored_count"] + total["not_scored_count"]:
    empty.nothing(wanted, "conversations with us")
    st.stop()
before = cards.before(wanted)
past = data.sentiment(before).iloc[0] if before else None
saved, saved_past = data.recovery(wanted, ()).iloc[0], data.recovery(before, ()).iloc[0] if before else None
cards.row(headlines.sentiment(total, past, saved, saved_past, wanted), wanted)
if not total["scored_count"]:
    st.info("No opening could be scored: no text, or a language that is not read.", title="Nothing to show yet")
    st.stop()

said = findings.honesty(data.measured_error())
shown = one_of("Trend of", FIGURES, "trend_of")
grain = wanted.grain
is_net, cut = shown == "net", panel.cut_periods(trend, wanted)
panel.chart(
    "sentiment_by_period",
    charts_sentiment.net_sentiment_line(trend, grain=grain, cut=cut)
    if is_net
    else charts_sentiment.negative_share_line(trend, grain=grain, level_error=said.level_error, cut=cut),
    trend,
    wanted,
    finding=findings.net(trend, grain, cut) if is_net else findings.trend(trend, grain, cut),
    counted=(findings.net_counted(grain, said) if is_net else findings.trend_counted(trend, grain, said))
    + panel.hollow(trend, wanted),
    cells=lambda: cells(trend, ("period",), "scored", grain=grain),
    rows="scored",
    charted=("net_share" if is_net else SHARE,),
)

left, right = st.columns(2, gap="medium")
with left:
    split = one_of("Negative share by", SPLITS, "by")
    groups = tone[(split,)] if (split,) in tone else data.sentiment(wanted, (split,))
    panel.share_by_group(
        f"negative_by_{split}", groups, split, SHARE, SCORED, wanted, measure="scored",
        done="open negative", color=charts_sentiment.NEGATIVE, counted="Share of negative openings, 95 % interval",
    )  # fmt: skip
    recovered.show(wanted)
with right:
    blamed = data.said_on_about(wanted)
    panel.chart(
        "said_on_about", charts_sentiment.said_on_about_heatmap(blamed), blamed, wanted,
        finding=findings.said_on_about(blamed),
        counted="Said on (rows), about (columns): conversations that blame a channel, and their share of all "
        "conversations on the channel where it was said. Channels that blame none are left out.",
        cells=lambda: [Cell(*cell) for cell in findings.said_cells(blamed)], rows="blaming",
    )  # fmt: skip
    terms = data.rising_topics(wanted)
    risen = findings.rising(terms, has_both_ends=before is not None)
    if findings.is_comparable(terms):
        panel.chart(
            "rising_topics", charts_sentiment.rising_terms_dot(terms), terms, wanted, finding=risen,
            counted=findings.rising_counted(terms), rows="contacts",
            cells=lambda: [Cell(*cell) for cell in findings.topic_cells(terms)],
        )  # fmt: skip
    else:
        panel.title(risen)

import streamlit as st

from pages.components import cards, data, empty, filter_bar, headlines, panel, theme, words

SHARE, SCORED, DONE = "negative_share", "scored_count", "of conversations open negative"
HONESTY = "Levels may be off by about 10 points; ranking and trend hold."
COLOR = theme.SENTIMENT_COLORS["negative"]

wanted = filter_bar.current()
total = data.sentiment(wanted).iloc[0]
if not total["scored_count"]:
    empty.nothing(wanted, "conversations with a scored opening")
    st.stop()
before = cards.before(wanted)
past = data.sentiment(before).iloc[0] if before else None
cards.row(headlines.sentiment(total, past, wanted), wanted)

panel.share_over_time(
    "negative_by_period", data.sentiment(wanted, ("period",)), SHARE, SCORED, wanted, measure="scored", done=DONE,
    color=COLOR,
    counted=f"Of {words.count(total['scored_count'])} conversations whose opening was scored, by {wanted.grain}, "
    f"95 % interval. {HONESTY}",
)  # fmt: skip
for place, dimension in zip(st.columns(3, gap="medium"), ("topic", "channel", panel.brand_or_age()), strict=True):
    with place:
        panel.share_by_group(
            f"negative_by_{dimension}", data.sentiment(wanted, (dimension,)), dimension, SHARE, SCORED, wanted,
            measure="scored", done="open negative", color=COLOR, counted="Share of negative openings, 95 % interval",
        )  # fmt: skip

"""One fixed colour per channel, age group, state and sentiment, the same on every page, in light and dark.

Mid tones (relative luminance about 0.13 to 0.32): at least 3:1 against white and against the dark
background. Ignored has the one alarming colour, and nothing else has it. Grey is context or unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from data_access.vocabulary import CHANNELS, RESPONSE_STATES, SENTIMENTS, UNKNOWN

IGNORED = "#D1223A"
ACCENT = "#2E79AD"
CONTEXT = "#8A9199"
CONTEXT_INK = "#757C85"  # of words: over 4:1 on white and on the dark background, which is as much as one grey can
GRID = "rgba(128,138,148,0.22)"
SHARE_TICKS = "~%"  # per cent with as many decimals as the step of the axis needs
BAND = "rgba(46,121,173,0.18)"

CHANNEL_COLORS = {
    "phone": "#2B6CB0",
    "email": "#C77700",
    "chat": "#0E9384",
    "web_form": "#7C8B1E",
    "sms": "#8464B8",
    "whatsapp": "#3C9B4E",
    "twitter": "#2C9CC9",
    "facebook": "#5360B5",
    "instagram": "#B8579F",
    "review": "#A8890F",
    "forum": "#96704A",
    "letter": "#5C8A8F",
    "in_person": "#B0683A",
    "other": CONTEXT,
}
STATE_COLORS = {
    "answered_in_target": "#2E79AD",
    "answered_late": "#7AA9CC",
    "answered_elsewhere": "#7A6FB5",
    "answered_unknown_time": "#A9B0B7",
    "waiting": "#C9962B",
    "ignored": IGNORED,
}
SENTIMENT_COLORS = {"negative": "#8E5EA2", "neutral": "#A9B0B7", "positive": "#2E9E83", UNKNOWN: CONTEXT}
# Young to old on one ramp from teal over blue to plum: an order, not a set of categories.
_AGE_RAMP = ("#35A79C", "#2D95A8", "#2F80AE", "#4669AD", "#6156A4", "#7A4A96", "#8C4282")
STATE_ORDER = (
    "answered_in_target",
    "answered_late",
    "answered_elsewhere",
    "answered_unknown_time",
    "waiting",
    "ignored",
)


def color(dimension: str, value: str, values: Sequence[str] = ()) -> str:
    """Colour of one value of a dimension: by meaning, never by position; grey for unknown."""
    if value == UNKNOWN:
        return CONTEXT
    if dimension == "channel":
        return CHANNEL_COLORS.get(value, CONTEXT)
    if dimension == "state":
        return STATE_COLORS.get(value, CONTEXT)
    if dimension == "sentiment":
        return SENTIMENT_COLORS.get(value, CONTEXT)
    if dimension == "age_group":
        return age_color(value)
    return ACCENT


_INKS = ("#FFFFFF", "#000000")  # of these one has at least 4.58 to 1 on any colour


def ink_on(background: str) -> str:
    """White or dark, whichever contrasts more with an opaque colour (WCAG 2.2, relative luminance)."""
    own = _luminance(background)
    return max(_INKS, key=lambda ink: _contrast(own, _luminance(ink)))


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def age_color(band: str) -> str:
    """Colour of an age band, from its lower bound, so that other bands in the settings stay in order."""
    low = age_start(band)
    if low is None:
        return CONTEXT
    steps = (18, 25, 35, 45, 55, 65)
    return _AGE_RAMP[sum(low >= step for step in steps)]


def age_start(band: str) -> int | None:
    """Lower bound of '<18', '18-24' or '65+'; None for unknown."""
    if band.startswith("<"):
        return 0
    match = re.match(r"\d+", band)
    return int(match[0]) if match else None


def natural_order(dimension: str, values: Sequence[str]) -> list[str]:
    """Values in their natural order where they have one (unknown last), else as they came."""
    present = list(dict.fromkeys(values))
    if dimension == "age_group":
        return sorted(present, key=lambda v: (age_start(v) is None, age_start(v) or 0))
    fixed: dict[str, Sequence[str]] = {"sentiment": SENTIMENTS, "state": STATE_ORDER}
    order = fixed.get(dimension)
    if order is None:
        return sorted(present, key=lambda v: v == UNKNOWN)
    return sorted(present, key=lambda v: (v not in order, order.index(v) if v in order else 0))


__all__ = ["CHANNELS", "CHANNEL_COLORS", "RESPONSE_STATES", "age_color", "color", "natural_order"]

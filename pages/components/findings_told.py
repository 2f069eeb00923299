"""Sentences on customers made to say it again and on those who fell silent. Plain text, no Streamlit."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from data_access.estimates import SMALL_SAMPLE
from pages.components import charts_told, words
from pages.components.keeping import kept

# Of pairs called the same, those that a reader called the same: benchmarks/restatements.md, at the shipped threshold.
MEASURED_AT, RIGHT_OF_REAL, RIGHT_LOW, RIGHT_HIGH, FOUND_OF_REAL = 0.25, 0.60, 0.46, 0.74, 0.51
Row = Any  # one row of a frame


@kept
def told_again(total: Row, pairs: pd.DataFrame) -> str:
    """How many customers whose contacts can be compared had to say it again, and where most."""
    n = int(total["compared_customer_count"])
    if not n:
        return "No customer of this filter told us something twice, as far as can be known"
    if n < SMALL_SAMPLE:
        again = words.counted(total["restated_customer_count"], "customer")
        return f"{again} of {n} whose contacts can be compared had to say it again: too few to speak of a share"
    said = (
        f"{words.percent(total['restated_customer_share'])} of customers whose contacts can be compared had to say it "
        f"again ({words.count(total['restated_customer_count'])} of {words.count(n)})"
    )
    shown = charts_told.pairs_shown(pairs)
    if shown.empty:
        return said
    return f"{said}; most often {words.in_sentence(charts_told.pair_name(shown.iloc[0]))}"


def told_cost(total: Row) -> str:
    """Restatements per matter and the customers' time between first and last telling."""
    if not total["restated_issue_count"]:
        return "Nothing was told twice."
    hours = words.counted(round(float(total["between_tellings_minutes"]) / 60), "customer-hour")
    return (
        f"{words.counted(total['restated_issue_count'], 'matter')} told again, "
        f"{float(total['restatements_per_issue']):.2f} times each; {hours} between first and last telling, "
        f"half of them more than {words.minutes(float(total['median_issue_minutes']))}."
    )


def told_counted(total: Row, threshold: float) -> str:
    """What is counted, on how much it stands, and how often it is wrong."""
    compared, tellings = words.count(total["compared_count"]), words.count(total["telling_count"])
    return (
        f"Times a customer told again, on another channel or to another agent, what they had told in the 30 days "
        f"before, by channel told first and then; at the right, of how many that could be compared. {compared} of "
        f"{tellings} tellings ({words.percent(total['compared_share'])}) have such an earlier one of a customer known "
        f"to be the same. Likeness {threshold:g} or more, by words and numbers in common. {measured(threshold)}"
    )


def measured(threshold: float) -> str:
    """The measured error at the shipped threshold; at any other that it was not measured there."""
    if not math.isclose(threshold, MEASURED_AT):
        return "The error at this threshold: benchmarks/restatements.md."
    return (
        f"Of real pairs called the same, {words.percent(RIGHT_OF_REAL)} are ({words.percent(RIGHT_LOW)} to "
        f"{words.percent(RIGHT_HIGH)}; read by hand), and {words.percent(FOUND_OF_REAL)} of the same are found: trust "
        "the level more than the single row."
    )


def fell_silent(row: Row, days: int) -> str:
    """Whether the ignored fell silent more often than comparable answered customers, by the interval."""
    matched = int(row["matched_ignored_count"])
    if not int(row["followed_customer_count"]):
        return f"Nobody who complained can be followed for {days} days yet"
    if matched < SMALL_SAMPLE or int(row["matched_answered_count"]) < SMALL_SAMPLE:
        return f"Too few comparable customers to say whether the ignored leave: {matched} ignored have a counterpart"
    low, high = float(row["silence_difference_share_low"]), float(row["silence_difference_share_high"])
    ignored, answered = (words.percent(row[f"matched_{name}_silent_share"]) for name in ("ignored", "answered"))
    shares = f"{ignored} of them, {answered} of comparable customers who were answered"
    if low > 0:
        return f"Ignored customers fell silent more often: {shares}"
    if high < 0:
        return f"Ignored customers fell silent less often: {shares}"
    return f"No clear difference: {shares} fell silent"


def silent_counted(row: Row, days: int, after_days: int) -> str:
    """What is compared, on how many it stands, and what it does not show."""
    difference, low, high = (
        words.signed_points(float(row[f"silence_difference_share{end}"])) for end in ("", "_low", "_high")
    )
    groups, n = words.counted(row["strata_count"], "group"), words.count
    measured = (
        f"Difference {difference} (95 %: {low} to {high}, the broad bar, from the dotted line of the answered). "
    )
    return (
        "Customers by their first complaint: ignored beyond its limit, or answered before it; silent: nothing new on "
        f"any channel for {days} days, counted from {after_days} days after the limit (asking again about the same "
        f"matter is not coming back). {measured if row['strata_count'] else ''}Comparable: same channel, topic, "
        f"sentiment and month ({groups} with "
        f"{n(row['matched_ignored_count'])} ignored and {n(row['matched_answered_count'])} answered; "
        f"{n(row['left_out_count'])} without a counterpart are left out). Followed: "
        f"{n(row['followed_customer_count'])} of {n(row['complaining_customer_count'])} complaining customers, the "
        "others too recent or not known by name. No proof of cause: the ignored may differ in ways not recorded, "
        "and silence can also mean satisfaction."
    )

"""The metric registry: what every column of every report means. `docs/metrics.md` is written from here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Metric:
    """One figure. `direction` is `lower` or `higher` where that is better, else `none`."""

    name: str
    label: str
    unit: str
    grain: str
    owning_time: str
    definition: str
    direction: str = "none"
    source: str = "DESIGN section 2"


_CONVERSATION, _WAIT, _COMPLAINT = "conversation", "wait", "complaint"
_OWNING = {
    _CONVERSATION: "opening of the conversation (opened_at)",
    _WAIT: "start of the wait (started_at)",
    _COMPLAINT: "first complaint of its wait (first_complaint_at)",
    "call": "offering of the call (opened_at)",
    "open wait": "start of the wait (started_at)",
    "comparison": "as the compared share",
}


def _m(
    name: str, label: str, unit: str, grain: str, definition: str, direction: str = "none", source: str = ""
) -> Metric:
    return Metric(name, label, unit, grain, _OWNING[grain], definition, direction, source or "DESIGN section 2")


_WILSON = "Wilson score interval, 95 % (Wilson, JASA 22, 1927)"
_KM = "Kaplan and Meier, JASA 53 (1958); log-log Greenwood interval"

_ALL = (
    _m(
        "conversation_count",
        "Conversations",
        "count",
        _CONVERSATION,
        "Conversations that a customer opened. Outreach, fragments (their beginning is not in the data) and conversations that address no company account are outside; in channel_mix fragments are in.",
    ),
    _m(
        "wait_count",
        "Waits",
        "count",
        _WAIT,
        "Unanswered runs: from the first inbound interaction that nobody had answered to the human response that ends it, or none. Customer-opened conversations and fragments; without those that ask for nothing.",
    ),
    _m(
        "answered_count",
        "Answered",
        "count",
        _CONVERSATION,
        "Of them, those with a human response that the customer can see by as-of. Includes answers whose time the source does not tell. Bots and automatic acknowledgements never count.",
        "higher",
    ),
    _m(
        "unanswered_count",
        "Not answered",
        "count",
        _CONVERSATION,
        "The rest: no human response by as-of. Closed or solved without a reply is unanswered.",
        "lower",
    ),
    _m(
        "answered_unknown_time_count",
        "Answered, time unknown",
        "count",
        _CONVERSATION,
        "The source says answered, but not when. They leave the answer curve, the medians and the in-target share, and count as answered elsewhere; the setting unknown_time_counts_as calls them unanswered instead, and the Data page shows how far that moves the figures.",
    ),
    _m(
        "no_reply_needed_count",
        "No reply needed",
        "count",
        _WAIT,
        "Waits in which every inbound interaction asks for nothing: thanks, praise, spam, a closing 'ok'; by the source's flag or the scorer's rule. Kept out of the denominators of waits, counted beside them; --no-reply-needed include puts them back. In response_times: conversations that open so; they stay in conversation_count.",
    ),
    _m(
        "closed_without_reply_count",
        "Closed without a reply",
        "count",
        _CONVERSATION,
        "Unanswered conversations that the source calls closed, solved, resolved, done or completed, or that have a resolution time.",
        "lower",
    ),
    _m(
        "answered_share",
        "Share answered",
        "share",
        _CONVERSATION,
        "answered_count over all of the group. In answer_curve: share answered within so many minutes, the never-answered kept in the denominator and the not yet answered censored at as-of.",
        "higher",
        _WILSON + "; in answer_curve " + _KM,
    ),
    _m(
        "target_due_count",
        "Target has passed",
        "count",
        _CONVERSATION,
        "Those whose own response target has passed at as-of (or at their source's complete-to, if earlier) and whose answer time, if any, is known: the denominator of the in-target share.",
    ),
    _m(
        "in_target_count",
        "Answered within target",
        "count",
        _CONVERSATION,
        "Of those due, the ones a human answered within the target in force when they began.",
        "higher",
    ),
    _m(
        "in_target_share",
        "Share answered within target",
        "share",
        _CONVERSATION,
        "in_target_count over target_due_count. The unanswered are in the denominator.",
        "higher",
        _WILSON,
    ),
    _m(
        "median_minutes_answered",
        "Median, answered only",
        "minutes",
        _CONVERSATION,
        "Median of the response times of the answered alone: the flattering number, shown beside the honest one. Interpolated between the two middle values.",
        "lower",
    ),
    _m(
        "p90_minutes_answered",
        "90th percentile, answered only",
        "minutes",
        _CONVERSATION,
        "Nine of ten answered ones were answered within this; interpolated.",
        "lower",
    ),
    _m(
        "median_minutes_all",
        "Median, everyone counted",
        "minutes",
        _CONVERSATION,
        "Time by which half of all were answered, the unanswered kept in and censored at as-of. Empty where half are never answered: 'not reached'.",
        "lower",
        _KM,
    ),
    _m(
        "minutes",
        "Minutes since the opening",
        "minutes",
        _CONVERSATION,
        "A time at which at least one was answered, in whole seconds.",
    ),
    _m(
        "at_risk_count",
        "Still waiting",
        "count",
        _CONVERSATION,
        "Those not answered and still observed just before that time.",
    ),
    _m(
        "complaint_count",
        "Complaints",
        "count",
        _COMPLAINT,
        "Waits with at least one complaint: an inbound interaction that expresses dissatisfaction, by the source or the scorer. A second complaint after an answer counts again. In backlog: open waits that hold a complaint.",
    ),
    _m(
        "answered_in_target_count",
        "Answered within target",
        "count",
        _COMPLAINT,
        "Complaints a human answered here within the target, counted from the first complaint.",
        "higher",
    ),
    _m(
        "answered_late_count",
        "Answered late",
        "count",
        _COMPLAINT,
        "Answered here by a human, later than the target.",
        "lower",
    ),
    _m(
        "answered_elsewhere_count",
        "Answered on another channel",
        "count",
        _COMPLAINT,
        "No response here, but a human reached the same customer for the same brand on another channel after the clock started and before ignored-after ran out; not as outreach, topic the same or unknown.",
    ),
    _m(
        "waiting_count",
        "Waiting",
        "count",
        _COMPLAINT,
        "Unanswered and younger than ignored-after. In backlog: open waits of that kind.",
    ),
    _m(
        "ignored_count",
        "Ignored now",
        "count",
        _COMPLAINT,
        "Unanswered at as-of and older than ignored-after: the present backlog of silence. Bot-only counts as unanswered.",
        "lower",
    ),
    _m(
        "bot_only_count",
        "Only a bot answered",
        "count",
        _COMPLAINT,
        "Waiting or ignored complaints that got nothing but an automatic answer.",
        "lower",
    ),
    _m(
        "due_count",
        "Old enough to judge",
        "count",
        _COMPLAINT,
        "Complaints whose clock plus ignored-after has passed at as-of (or at their source's complete-to): the denominator of the ignored share.",
    ),
    _m(
        "ignored_in_time_count",
        "Not answered in time",
        "count",
        _COMPLAINT,
        "Of those due, the ones nobody human answered anywhere within ignored-after. A later answer changes nothing.",
        "lower",
    ),
    _m(
        "ignored_share",
        "Share ignored",
        "share",
        _COMPLAINT,
        "ignored_in_time_count over due_count: a fixed horizon, so late answers never improve old weeks and quick recent answers never hide recent silence. Answers at an unknown time count as given.",
        "lower",
        _WILSON,
    ),
    _m(
        "open_count",
        "Waiting for us",
        "count",
        "open wait",
        "Waits that ask for a reply and have none at as-of, here or elsewhere in time. Callers who hung up wait no longer.",
        "lower",
    ),
    _m("oldest_minutes", "Oldest", "minutes", "open wait", "Longest present wait.", "lower"),
    _m("median_minutes", "Median age", "minutes", "open wait", "Median age of the open waits.", "lower"),
    _m(
        "share",
        "Share of the age group's conversations",
        "share",
        _CONVERSATION,
        "The channel's part of the age group's conversations. In changes: the compared share of this period.",
        "none",
        _WILSON,
    ),
    _m("customer_count", "Customers", "count", _CONVERSATION, "Different customers who used the channel."),
    _m(
        "customer_share",
        "Share of the age group's customers",
        "share",
        _CONVERSATION,
        "Customers of the age group who used the channel at all, over all its customers with a contact; what surveys ask. Adds up to more than 1, for people use several channels.",
    ),
    _m(
        "scored_count",
        "Scored",
        "count",
        _CONVERSATION,
        "Conversations with us whose opening inbound interaction has a sentiment, supplied or scored.",
    ),
    _m(
        "not_scored_count",
        "Not scored",
        "count",
        _CONVERSATION,
        "The others: no text, or a language that the scorer does not read.",
    ),
    _m("negative_count", "Negative", "count", _CONVERSATION, "Scored conversations that open negative.", "lower"),
    _m("neutral_count", "Neutral", "count", _CONVERSATION, "Scored conversations that open neutral."),
    _m("positive_count", "Positive", "count", _CONVERSATION, "Scored conversations that open positive.", "higher"),
    _m(
        "negative_share",
        "Share negative",
        "share",
        _CONVERSATION,
        "negative_count over scored_count. The level may be about 10 points low; ranking and trend hold.",
        "lower",
        _WILSON,
    ),
    _m("neutral_share", "Share neutral", "share", _CONVERSATION, "neutral_count over scored_count."),
    _m("positive_share", "Share positive", "share", _CONVERSATION, "positive_count over scored_count.", "higher"),
    _m(
        "mean_score",
        "Mean score",
        "score",
        _CONVERSATION,
        "Mean sentiment score of the scored openings, from -1 to 1.",
        "higher",
    ),
    _m(
        "offered_count",
        "Calls offered",
        "count",
        "call",
        "Inbound calls whose answer or abandonment is known.",
        "none",
        "ICMI usage",
    ),
    _m(
        "abandoned_count",
        "Calls abandoned",
        "count",
        "call",
        "Callers who hung up before an answer, short abandons included.",
        "lower",
        "ICMI usage",
    ),
    _m(
        "short_abandoned_count",
        "Short abandons",
        "count",
        "call",
        "Of them, those who hung up within short_abandon_seconds (default 5).",
        "none",
        "ICMI usage",
    ),
    _m(
        "abandoned_share",
        "Share abandoned",
        "share",
        "call",
        "abandoned_count over offered_count.",
        "lower",
        "ICMI usage",
    ),
    _m(
        "service_level_share",
        "Service level",
        "share",
        "call",
        "Calls answered within target over calls offered less short abandons.",
        "higher",
        "ICMI usage",
    ),
    _m(
        "service_level_all_share",
        "Service level, every call",
        "share",
        "call",
        "Calls answered within target over all calls offered.",
        "higher",
        "ICMI usage",
    ),
    _m(
        "average_speed_of_answer_seconds",
        "Average speed of answer",
        "seconds",
        "call",
        "The field's mean over answered calls; always shown with the calls abandoned.",
        "lower",
        "ICMI usage",
    ),
    _m(
        "resolved_count",
        "Resolved",
        "count",
        _CONVERSATION,
        "Conversations resolved by as-of, of the sources that know resolution.",
        "higher",
    ),
    _m(
        "resolved_share",
        "Share resolved",
        "share",
        _CONVERSATION,
        "resolved_count over conversation_count of those sources.",
        "higher",
        _WILSON,
    ),
    _m(
        "median_minutes_resolved",
        "Median to resolution, resolved only",
        "minutes",
        _CONVERSATION,
        "Opening to resolution, resolved ones alone.",
        "lower",
    ),
    _m(
        "p90_minutes_resolved",
        "90th percentile to resolution, resolved only",
        "minutes",
        _CONVERSATION,
        "Nine of ten resolved ones were resolved within this.",
        "lower",
    ),
    _m(
        "first_response_minutes",
        "First response",
        "minutes",
        _CONVERSATION,
        "Opening inbound interaction to the first human response; empty where there is none by as-of.",
    ),
    _m(
        "difference",
        "Difference",
        "share",
        "comparison",
        "Share of this period less that of the period of equal length before it; mature contacts only.",
    ),
    _m(
        "p_value",
        "p value",
        "share",
        "comparison",
        "Two-sided, two proportions, pooled; a change is called one only where the false discovery rate over all comparisons is controlled at 5 %.",
        "none",
        "Benjamini and Hochberg (1995)",
    ),
    _m(
        "known_share",
        "Share known",
        "share",
        _CONVERSATION,
        "Part of the conversations for which the item is known.",
        "higher",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _ALL}

BOUND_SUFFIXES = ("_low", "_high")
PLAIN_COLUMNS = frozenset(
    [
        "period",
        "channel",
        "brand",
        "team",
        "agent",
        "age_group",
        "topic",
        "sentiment",
        "source",
        "hour",
        "weekday",
        "state",
        "age",
        "is_provisional",
    ]
)

"""Numbers and names in the words of managers. Pure text; what comes from the data is made harmless here."""

from __future__ import annotations

import datetime as dt
import html
import math
import re

from data_access.filters import day_words
from data_access.vocabulary import CHANNEL_LABELS, KIND_LABELS, NOBODY, STATE_LABELS, TOPIC_LABELS, UNKNOWN
from data_access.zones import local

NOT_REACHED = "not reached"
NOTHING = "–"
DIMENSION_LABELS = {
    "period": "Period",
    "channel": "Channel",
    "brand": "Brand",
    "team": "Team",
    "agent": "Who answered",
    "age_group": "Age group",
    "topic": "Topic",
    "sentiment": "Sentiment",
    "state": "Response state",
    "hour": "Hour",
    "weekday": "Weekday",
    "age": "Waiting for",
}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_UNIT = re.compile(r"(?<=\d) (?=(?:%|s|min|h|d|wk|points?)(?!\w))")
_COUNTED = re.compile(r"\b(conversation|call|wait|customer|contact|complaint|telling|opening|time)s\b")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def markdown(text: object) -> str:
    """Text that Markdown shows as it stands: no link, no picture, no HTML, one line; numbers stay with their units."""
    return _PUNCTUATION.sub(r"\\\1", unbroken(_CONTROL.sub(" ", str(text))))


def unbroken(text: str) -> str:
    """The text with each number and its unit on one line."""
    return _UNIT.sub("\u00a0", text)


def plotly(text: object) -> str:
    """Text that plotly shows as it stands, without its pseudo-HTML."""
    return html.escape(_CONTROL.sub(" ", str(text)), quote=False)


def shortened(text: object, length: int = 28) -> str:
    """At most `length` characters, cut with an ellipsis."""
    plain = _CONTROL.sub(" ", str(text))
    return plain if len(plain) <= length else plain[: length - 1].rstrip() + "…"


def count(number: float) -> str:
    """A count with thousands separated: 12,345."""
    return NOTHING if _missing(number) else f"{int(number):,}"


def counted(number: float, one: str, many: str | None = None) -> str:
    """A count with its noun: '1 complaint', '12 complaints'."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def counted_as(number: float, label: str) -> str:
    """A count with words in the plural for what is counted: '1 complaint in public', '2 complaints in public'."""
    return f"{count(number)} {_singular(label) if number == 1 else label}"


def none_of(number: float, label: str) -> str:
    """That it holds of none: 'None of the 12 complaints in public', of a single one 'No complaint in public'."""
    return f"No {_singular(label)}" if number == 1 else f"None of the {counted_as(number, label)}"


def _singular(label: str) -> str:
    return _COUNTED.sub(r"\1", label, count=1)


def fixed(value: float, places: int = 0) -> str:
    """A number with so many decimals, halves rounded away from zero as people do; "-0" is 0."""
    size = math.floor(abs(value) * 10**places + 0.5 + 1e-9) / 10**places
    return f"{'-' if value < 0 and size else ''}{size:,.{places}f}"


def percent(share: float, digits: int | None = None) -> str:
    """A share as per cent; one digit under 10 % and from 99.5 % on. Only what is nothing or all says 0 or 100 %."""
    if _missing(share):
        return NOTHING
    value = share * 100
    places = (1 if 0 < value < 9.95 or 99.5 <= value < 100 else 0) if digits is None else digits
    step = 10**-places
    if 0 < value < step / 2:
        return f"under {step:.{places}f} %"
    if 100 - step / 2 <= value < 100:
        return f"over {100 - step:.{places}f} %"
    return f"{fixed(value, places)} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, without sign."""
    value = abs(difference) * 100
    return f"{fixed(value, 1 if value < 9.95 else 0)} points"


def signed_points(share: float) -> str:
    """A share that may be negative, in points with its sign: '−12 points'."""
    if _missing(share):
        return NOTHING
    value = int(fixed(share * 100))
    return f"{'+' if value > 0 else '−' if value < 0 else ''}{counted(abs(value), 'point')}"


def decimal(value: float) -> str:
    """A number that need not be whole: '0.4', '2.4', '31'."""
    if _missing(value):
        return NOTHING
    return fixed(value, 1 if abs(value) < 9.95 else 0)


def signed(value: float) -> str:
    """The same with its sign: '+2.4', '−31'."""
    if _missing(value):
        return NOTHING
    text = decimal(abs(value))
    return text if not float(text.replace(",", "")) else f"{'+' if value > 0 else '−'}{text}"


def minutes(value: float, missing: str = NOTHING) -> str:
    """A duration in the two largest units: '45 s', '11 min', '4 h 20 min', '3 d 4 h'."""
    if _missing(value):
        return missing
    seconds = round(value * 60)
    if seconds < 90:
        return f"{seconds} s"
    whole = round(value)
    if whole < 60:
        return f"{value:.1f} min" if value < 10 and abs(value - whole) > 0.05 else f"{whole} min"
    hours, rest = divmod(whole, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(round(value / 60), 24)
    if days >= 14:
        return f"{round(value / 1440)} d"
    return f"{days} d {hours} h" if hours else f"{days} d"


def of_ten(share: float) -> str:
    """A share as people say it: '3 of 4', '1 of 10'; falls back to per cent where none is near."""
    if _missing(share):
        return NOTHING
    best = min(
        ((n, m) for m in (2, 3, 4, 5, 10) for n in range(1, m)),
        key=lambda p: (abs(p[0] / p[1] - share), p[1]),
    )
    return f"{best[0]} of {best[1]}" if abs(best[0] / best[1] - share) <= 0.02 else percent(share)


def part_of(share: float, noun: str) -> str:
    """A part of a whole: '3 of 4 complaints' or '85 % of complaints'."""
    said = of_ten(share)
    return f"{said} of {noun}" if said.endswith("%") else f"{said} {noun}"


def moment(at: object, zone: str) -> str:
    """A naive UTC time in the reporting zone: '5 Oct 2026, 14:30'."""
    if at is None or (isinstance(at, float) and math.isnan(at)) or str(at) == "NaT":
        return NOTHING
    shown = local(at, zone)  # type: ignore[arg-type]
    return f"{day_words(shown.date())}, {shown:%H:%M}"


def period(start: object, grain: str) -> str:
    """A period by its first local day: 'week of 5 Oct 2026', 'Oct 2026', 'Q4 2026'."""
    day: dt.date = start.date() if isinstance(start, dt.datetime) else start  # type: ignore[assignment]
    if grain == "week":
        return f"week of {day_words(day)}"
    if grain == "month":
        return f"{day:%b %Y}"
    if grain == "quarter":
        return f"Q{(day.month - 1) // 3 + 1} {day.year}"
    return day_words(day)


def the_period(start: object, grain: str) -> str:
    """A period inside a sentence: 'the week of 5 Oct 2026', 'Oct 2026', '5 Oct 2026'."""
    return f"{'the ' if grain == 'week' else ''}{period(start, grain)}"


def during(start: object, grain: str) -> str:
    """When something was so: 'in the week of 5 Oct 2026', 'in Q4 2026', 'on 5 Oct 2026'."""
    return f"{'on' if grain == 'day' else 'in'} {the_period(start, grain)}"


def between(low: float, high: float) -> str:
    """A range of shares: 'between 12 % and 22 %'; one figure where both read the same."""
    ends = percent(low), percent(high)
    return ends[0] if ends[0] == ends[1] else f"between {ends[0]} and {ends[1]}"


def value(dimension: str, raw: object, grain: str = "week") -> str:
    """The label of one value of a dimension; not yet made safe for Markdown or plotly."""
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return "Unknown"
    text = str(raw)
    if dimension == "period":
        return period(raw, grain)
    if dimension == "weekday":
        return WEEKDAYS[int(float(text)) - 1]
    if dimension == "hour":
        return f"{int(float(text)):02d}:00"
    if text == UNKNOWN:
        return "No team" if dimension == "team" else "Unknown"
    if text == NOBODY:
        return "Nobody"
    fixed = {
        "channel": CHANNEL_LABELS,
        "state": STATE_LABELS,
        "kind": KIND_LABELS,
        "blamed_channel": CHANNEL_LABELS,
        "front_channel": CHANNEL_LABELS,
        "told_before_on": CHANNEL_LABELS,
    }
    if dimension == "within_days":
        return f"within {counted(float(text), 'day')}"
    if dimension in fixed:
        return fixed[dimension].get(text, text)
    if dimension == "topic" and text in TOPIC_LABELS:
        return TOPIC_LABELS[text]
    if dimension in ("topic", "sentiment"):
        return text.replace("_", " ").capitalize() if text.islower() else text
    return text


def in_sentence(label: str) -> str:
    """A label inside a sentence: lower case, unless it is a name or an abbreviation."""
    names = ("Twitter", "Facebook", "Instagram", "WhatsApp", "SMS")
    return label if label.startswith(names) or label[:2].isupper() else label[:1].lower() + label[1:]


def inside(dimension: str, raw: object, grain: str = "week") -> str:
    """The label of a value inside a sentence: names of teams, brands, agents and the like stand as they are."""
    label = value(dimension, raw, grain)
    is_name = dimension in ("team", "responder_team", "brand", "agent", "age_group", "source") and label == str(raw)
    return label if is_name or dimension == "weekday" else in_sentence(label)


def with_dimension(dimension: str, raw: object) -> str:
    """A value with what it is a value of, as the filter's sentence says it: 'age unknown', 'failed on phone'."""
    if dimension == "team" and raw == UNKNOWN:
        return "no team"
    return _OF_DIMENSION.get(dimension, "{}").format(inside(dimension, raw))


_OF_DIMENSION = {
    "channel": "channel {}",
    "brand": "brand {}",
    "team": "team {}",
    "agent": "who answered: {}",
    "responder_team": "answering team {}",
    "age_group": "age {}",
    "topic": "topic {}",
    "source": "source {}",
    "sentiment": "opening {}",
    "closing_sentiment": "ending {}",
    "blamed_channel": "blaming {}",
    "front_channel": "failed on {}",
    "told_before_on": "told before on {}",
    "state": "state {}",
    "wait_band": "answered: {}",
    "age": "waiting: {}",
    "hour": "from {}",
    "weekday": "on a {}",
}


def column(name: str) -> str:
    """A column name as a table heading: 'ignored_share_low' becomes 'Ignored share, low'."""
    known = COLUMN_LABELS.get(name)
    if known:
        return known
    for suffix, words in (("_low", ", lower limit"), ("_high", ", upper limit")):
        if name.endswith(suffix):
            return column(name.removesuffix(suffix)) + words
    text = re.sub(r"_(count|at)$|_(minutes|seconds)(?=_|$)", "", name).removeprefix("is_").replace("_", " ")
    unit = " (minutes)" if "_minutes" in name else " (seconds)" if name.endswith("_seconds") else ""
    return text[:1].upper() + text[1:] + unit


COLUMN_LABELS = {
    **DIMENSION_LABELS,
    "conversation_count": "Conversations",
    "wait_count": "Waits",
    "answered_count": "Answered",
    "unanswered_count": "Unanswered",
    "answered_unknown_time_count": "Answered, time unknown",
    "no_reply_needed_count": "Asked for nothing",
    "closed_without_reply_count": "Closed without a reply",
    "answered_share": "Answered share",
    "target_due_count": "Target has passed",
    "in_target_count": "Answered in target",
    "in_target_share": "In-target share",
    "median_minutes_answered": "Median, answered only (minutes)",
    "p90_minutes_answered": "90th percentile, answered only (minutes)",
    "median_minutes_all": "Median, silence included (minutes)",
    "is_provisional": "Provisional",
    "is_still_rejected": "Still rejected",
    "minutes": "Answered within (minutes)",
    "median_minutes_waited": "Time to the post, median (minutes)",
    "p25_minutes_waited": "A quarter posted within (minutes)",
    "p75_minutes_waited": "A quarter posted later than (minutes)",
    "median_minutes_resolved": "Median to resolution, resolved only (minutes)",
    "p90_minutes_resolved": "90th percentile to resolution, resolved only (minutes)",
    "overall_median_minutes": "Median of all customers (minutes)",
    "same_median_minutes": "Median of all on the channels compared (minutes)",
    "left_out_channels": "Channels left out",
    "standardised_median_minutes": "Median at one channel mix (minutes)",
    "at_risk_count": "Still waiting just before",
    "due_count": "Old enough to judge",
    "ignored_in_time_count": "Ignored in time",
    "ignored_share": "Ignored share",
    "answered_in_target_count": "Answered within target",
    "answered_late_count": "Answered late",
    "answered_elsewhere_count": "Answered on another channel",
    "waiting_count": "Waiting",
    "ignored_count": "Ignored now",
    "bot_only_count": "Bot answer only",
    "complaint_count": "Complaints",
    "open_count": "Open",
    "oldest_minutes": "Oldest (minutes)",
    "median_minutes": "Median age (minutes)",
    "share": "Share of conversations",
    "share_low": "Share, lower limit",
    "share_high": "Share, upper limit",
    "customer_count": "Customers",
    "customer_share": "Share of customers",
    "scored_count": "Scored",
    "not_scored_count": "Not scored",
    "offered_count": "Offered",
    "abandoned_count": "Abandoned",
    "short_abandoned_count": "Abandoned at once",
    "average_speed_of_answer_seconds": "Average speed of answer (seconds)",
    "response_state": "State",
    "opening_state": "State of opening",
    "worst_state": "Worst complaint",
    "sentiment_label": "Sentiment",
    "earlier_conversation_count": "Earlier contacts",
    "last_agent": "Last answered by",
    "is_bot_answered": "Bot answered",
    "easy_answered_count": "Answered, no complaint",
    "overtaking_count": "Went past a complaint",
    "overtaking_share": "Share",
    "is_ours": "Ours",
    "told_before_on": "Told first on",
    "told_before_at": "Told first",
    "told_again_at": "Told again",
    "text_before": "First text",
    "text_again": "Second text",
    "between_minutes": "Between (minutes)",
    "likeness": "Likeness",
    "telling_count": "Tellings",
    "compared_count": "Could be compared",
    "restatement_count": "Said again",
    "restated_share": "Said again, share",
    "compared_customer_count": "Customers whose contacts can be compared",
    "restated_customer_count": "Customers who said it again",
    "restated_customer_share": "Share of customers",
    "restated_issue_count": "Matters said again",
    "restatements_per_issue": "Times per matter",
    "between_tellings_minutes": "First to last telling (minutes)",
    "median_issue_minutes": "First to last telling, median (minutes)",
    "complaining_customer_count": "Customers who complained",
    "followed_customer_count": "Followed long enough",
    "ignored_customer_count": "Ignored",
    "ignored_silent_count": "Ignored, fell silent",
    "answered_customer_count": "Answered in time",
    "answered_silent_count": "Answered, fell silent",
    "strata_count": "Groups compared",
    "matched_ignored_count": "Ignored with a counterpart",
    "matched_answered_count": "Answered with a counterpart",
    "left_out_count": "Without a counterpart",
    "matched_ignored_silent_share": "Ignored, fell silent, comparable",
    "matched_answered_silent_share": "Answered, fell silent, comparable",
    "silence_difference_share": "Difference",
    "expected_ignored_share": "Expected final share",
    "everybody_count": "Customers with any contact",
    "complained_at": "Complained",
    "first_complaint_at": "Complained",
    "started_at": "Wrote",
    "response_at": "Answered at",
    "waited_minutes": "Waited (minutes)",
    "minutes_to_ignored": "Until ignored (minutes)",
    "conversation_id": "Conversation",
    "customer_id": "Customer",
    "blamed_channel": "Blamed channel",
    "channel_conversation_count": "Conversations on the channel",
    "wait_band": "Answered after",
    "written_again_count": "Wrote again after the answer",
    "recovered_count": "Recovered",
    "net_share": "Net sentiment",
    "centre_share": "Usual negative share",
    "limit_low": "Control limit, lower",
    "limit_high": "Control limit, upper",
    "baseline_count": "Periods of the baseline",
    "baseline_shown_count": "Of the baseline, shown",
    "signal": "Signal",
    "term_kind": "Topic or word",
    "term": "Name",
    "previous_conversation_count": "Conversations before",
    "total_count": "Of all",
    "previous_total_count": "Of all before",
    "task": "Of",
    "labelled_count": "Labelled",
    "agreement_count": "Agree",
    "agreement_share": "Agreement",
    "labelled_share": "Level by people",
    "scored_share": "Level by the scorer",
    "level_error": "Scorer less people",
    "log_odds": "Log-odds of growth",
    "front_channel": "Failed before",
    "front_waited_minutes": "Time to the post (minutes)",
    "public_complaint_count": "Complaints in public",
    "known_private_count": "Customer known in private",
    "known_private_share": "Known in private",
    "back_door_count": "Came by the back door",
    "back_door_share": "Back-door share",
    "within_days": "Within days",
    "failed_contact_count": "Failed contacts",
    "known_public_count": "Customer known in public",
    "known_public_share": "Known in public",
    "came_out_count": "Came out in public",
    "came_out_share": "Share that came out",
    "recognisable_count": "Customer recognisable",
    "recognisable_share": "Recognisable",
    "repeat_count": "Repeat contacts",
    "repeat_share": "Repeat share",
    "issue_count": "Issues",
    "judged_count": "First contacts judged",
    "no_further_contact_count": "No further contact",
    "no_further_contact_share": "No further contact",
    "no_further_contact_same_channel_count": "None on the same channel",
    "no_further_contact_same_channel_share": "No further contact on that channel",
    "no_further_contact_unanswered_count": "None, and not answered so far",
    "answer_share": "Share of answers",
    "answer_gap_share": "Talk less answers",
    "answer_gap_per_week": "Gap, conversations a week",
    "seen_count": "Seen by a human",
    "seen_share": "Share of what was seen",
    "seen_gap_share": "Talk less seen",
    "seen_gap_per_week": "Gap to seen, a week",
    "read_count": "Read by the scorer",
    "rows_read_count": "Rows read",
    "read_share": "Share of what was read",
    "read_gap_share": "Talk less read",
    "read_gap_per_week": "Gap to read, a week",
    "inbound_share": "Share of conversations",
    "group_conversation_count": "Conversations of the group",
    "in_hour_due_count": "Opened an hour ago or earlier",
    "in_hour_count": "Answered within an hour",
    "standardised_answered_share": "Answered share at one channel mix",
    "answered_gap_share": "Gap to all",
    "standardised_answered_gap_share": "Gap to all at one channel mix",
    "answered_channel_part_share": "Part of the gap that is channel",
    "unknown_worst_share": "Lowest, whoever the unknown are",
    "unknown_all_share": "If all unknown belonged here",
    "unknown_best_share": "Highest, whoever the unknown are",
    "unknown_low_share": "Lowest, whoever the unknown are",
    "unknown_high_share": "Highest, whoever the unknown are",
    "index": "Index (100: all customers)",
    "index_low": "Index, lower limit",
    "index_high": "Index, upper limit",
    "covered_share": "Conversations compared",
    "recorded_share": "Answers recorded",
    "ignored_channel_count": "Channels on which ignored",
    "equally_ignored_count": "Customers ignored as often",
    "channel_count": "Channels",
    "late_count": "Late, not ignored",
    "step_number": "Step",
    "wait_number": "Wait",
    "previous_gap_minutes": "Since the step before (minutes)",
    "is_failed": "Failed",
    "is_repeat": "Repeat contact",
    "answered_elsewhere_on": "Answered on",
    "p_value": "Chance of this without growth (p)",
}


def definition(text: str) -> str:
    """What the registry says, in words of the pages: columns by their headings, settings by what they are."""
    for written, said in _OF_REGISTRY:
        text = text.replace(written, said)
    text = re.sub(r" \([a-z]+(?:_[a-z]+)*_at\)", "", text)
    text = re.sub(r"\*([^*]+)\*", "\u201c\\1\u201d", text)
    return re.sub(
        r"`([a-z0-9_]+)`|\b[a-z]+(?:_[a-z0-9]+)+\b", lambda name: f"\u201c{column(name[1] or name[0])}\u201d", text
    )


# Reports, settings and options that definitions name, for those who know the pages only; longer ones first.
_OF_REGISTRY = (
    ("--no-reply-needed include puts them back", "the command line can put them back"),
    ("(setting joined_up.window_days, or --within-days)", "(N is a setting)"),
    ("the setting unknown_time_counts_as", "the setting for answers at an unknown time"),
    ("the setting restated_similarity", "the setting for likeness"),
    ("within short_abandon_seconds (default 5)", "within the seconds of a setting (5 unless changed)"),
    ("repeat_contacts_any_topic", "the repeat contacts of any topic"),
    ("back_door_flow", "the flow of the back door"),
    ("channel_mix", "the channel mix"),
    ("response_times", "response times"),
    ("answer_curve", "the answer curve"),
    ("silent_after_days", "the days of silence that the settings ask for"),
    ("window_days", "the N days of repeat contacts"),
    ("is_ours marks", "\u201cOurs\u201d marks"),
    ("as_of", "as-of"),
    ("Measured error: benchmarks/restatements.md.", "The error was measured, see the documentation."),
)


def _missing(number: float) -> bool:
    return number is None or math.isnan(number)

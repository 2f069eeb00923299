"""The interaction store: tables declared column by column; `docs/interaction-store.md` is written from here.

Every key contains `customer_id` (or the event's hash), so that the tables can be distributed by customer.
All times are naive UTC.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
)

SCHEMA_VERSION = 4

metadata = MetaData()


def _column(name: str, kind: type | object, comment: str, *, key: bool = False, null: bool = True) -> Column:  # type: ignore[type-arg]
    return Column(name, kind, comment=comment, primary_key=key, nullable=null and not key)  # type: ignore[arg-type]


customers = Table(
    "customers",
    metadata,
    _column("customer_id", Text, "Opaque id of one person, derived from the strongest identity", key=True),
    _column("birth_date", Date, "Birth date, where the source gives one"),
    _column("birth_year", Integer, "Birth year, where only that is known; age counts as if born on 1 July"),
    _column("age_group_given", Text, "Age band given by the source instead of a birth date"),
    _column("segment", Text, "Customer segment as the source names it"),
    _column("followers", BigInteger, "Followers on the customer's largest public account"),
    _column("display_name", Text, "Name to show; personal data"),
    _column("handle", Text, "Public handle to show; personal data"),
    comment="One row per person",
)

customer_identities = Table(
    "customer_identities",
    metadata,
    _column("customer_id", Text, "The customer who has it; one that joins nobody may have several", key=True),
    _column("identity_kind", Text, "email, phone, handle:<channel> or id:<source>", key=True),
    _column("identity_value", Text, "The normalised address, number, handle or id; personal data", key=True),
    _column("origin", Text, "First of the sources that state it, by name"),
    _column("reason", Text, "Why it joins nobody; empty where it joins: kind, number, never, customers, shared …"),
    comment="One row per customer and handle, address, number or source id: what makes channels joinable",
)

stated_identities = Table(
    "stated_identities",
    metadata,
    _column("customer_id", Text, "Customer to whom the conversation or line belongs now", key=True),
    _column("statement_id", Text, "The conversation, or the line of a customers file", key=True),
    _column("identity_kind", Text, "As in customer_identities; conversation where only a decision names it", key=True),
    _column("identity_value", Text, "The normalised value; a number without a country code as given", key=True),
    _column("source", Text, "Source that states it"),
    _column("is_listed", Boolean, "Stated by a customers file", null=False),
    _column("is_own", Boolean, "The id under which the customers file lists its customer", null=False),
    _column("is_alone", Boolean, "No other identity that may join is stated with it", null=False),
    _column("identity_customer_id", Text, "Customer named after this identity", null=False),
    _column("reason", Text, "Why it can join nobody, whoever states it: kind, number or never"),
    comment="One row per identity and conversation or customers-file line that states it: the evidence of every join",
)

customer_records = Table(
    "customer_records",
    metadata,
    _column("customer_id", Text, "The customer to whom the line belongs now", key=True),
    _column("record_id", Text, "Hash of source and id", key=True),
    _column("identity_kind", Text, "id:<source>", null=False),
    _column("identity_value", Text, "Customer id in the file", null=False),
    _column("source", Text, "Name under which the file was loaded", null=False),
    _column("birth_date", Date, "As in customers"),
    _column("birth_year", Integer, "As in customers"),
    _column("age_group_given", Text, "As in customers"),
    _column("segment", Text, "As in customers"),
    _column("followers", BigInteger, "As in customers"),
    _column("display_name", Text, "As in customers; personal data"),
    _column("identities", Text, "Identities listed, as given, separated by semicolons; personal data"),
    comment="One row per customer of a customers file, as the file says",
)

identity_decisions = Table(
    "identity_decisions",
    metadata,
    _column("decision", Integer, "Number of the decision", key=True),
    _column("side", Integer, "0 or 1: a merge joins the sides, a split holds them apart", key=True),
    _column("identity_kind", Text, "As in stated_identities", key=True),
    _column("identity_value", Text, "The normalised value; personal data", key=True),
    _column("verdict", Text, "merge, split, or apart: it joins nobody since a customer was forgotten", null=False),
    _column("decided_at", DateTime, "When it was decided, UTC", null=False),
    comment="One row per identity in a decision by hand; no load and no rebuild changes it",
)

event_keys = Table(
    "event_keys",
    metadata,
    _column("interaction_id", Text, "Hash of source and external id", key=True),
    _column("customer_id", Text, "Customer under whom the event is stored now", null=False),
    comment="One row per event ever loaded; a reload resolves events through it",
)

agents = Table(
    "agents",
    metadata,
    _column("agent", Text, "Agent as the source names them", key=True),
    _column("source", Text, "Source that names the agent", key=True),
    _column("team", Text, "Team of the agent's newest interaction"),
    _column("last_seen_at", DateTime, "Newest interaction of the agent"),
    comment="One row per agent and source",
)

interactions = Table(
    "interactions",
    metadata,
    _column("customer_id", Text, "The customer of the conversation, also on outbound rows", key=True),
    _column("interaction_id", Text, "Hash of source and external id", key=True),
    _column("conversation_id", Text, "The conversation it belongs to", null=False),
    _column("source", Text, "Name under which the file was loaded", null=False),
    _column("external_id", Text, "Id in the source", null=False),
    _column("thread_id", Text, "Thread, ticket or call id in the source"),
    _column("channel", Text, "One of the fourteen channels", null=False),
    _column("direction", Text, "inbound (from a customer) or outbound (from the company)", null=False),
    _column("author_kind", Text, "customer, agent, bot or system", null=False),
    _column("author", Text, "The author's account or id in the source; personal data on inbound rows"),
    _column("customer", Text, "Customer id as the source names it; personal data"),
    _column("email", Text, "The customer's address as given; personal data"),
    _column("phone", Text, "The customer's number as given; personal data"),
    _column("handle", Text, "The customer's handle as given; personal data"),
    _column("display_name", Text, "The customer's name as given; personal data; joins nobody"),
    _column("agent", Text, "Who wrote it, on outbound rows"),
    _column("team", Text, "Team or queue assigned when it happened"),
    _column("brand", Text, "Brand or company account addressed"),
    _column("occurred_at", DateTime, "When it happened, UTC", null=False),
    _column("text", Text, "What was said; personal data, hostile until shown as plain text"),
    _column("language", Text, "ISO 639-1 code, given or detected"),
    _column("sentiment_label", Text, "negative, neutral, positive, or null where not scored"),
    _column("sentiment_score", Double, "-1 (negative) to 1 (positive)"),
    _column("sentiment_confidence", Double, "0 to 1"),
    _column("sentiment_scorer", Text, "Scorer id and version, or 'supplied'"),
    _column("not_scored_reason", Text, "Why there is no sentiment label"),
    _column("is_complaint", Boolean, "Inbound and expresses dissatisfaction"),
    _column("complaint_scorer", Text, "Cue preset and version, or 'supplied'"),
    _column("needs_reply", Boolean, "False where an inbound text asks for nothing"),
    _column("topics", Text, "All topics, primary first, separated by commas"),
    _column("topic", Text, "Primary topic"),
    _column("blamed_channel", Text, "Channel that the text complains about"),
    _column("evidence", Text, "Cues that fired, as JSON"),
    _column("supplied", Text, "What the source supplied and no scorer may change, comma separated"),
    _column("audience", BigInteger, "People who could see it: followers and reshares"),
    _column("reply_to", Text, "External id of the interaction it answers"),
    _column("recorded_responses", Text, "External ids that the source lists as answers, comma separated"),
    _column("has_reported_answer", Boolean, "The source says answered, but not when", null=False),
    _column("is_visible", Boolean, "False for internal notes", null=False),
    _column("is_addressed", Boolean, "False where it names no company account", null=False),
    _column("is_parent_missing", Boolean, "It answers something that is not in the data", null=False),
    _column("is_outreach", Boolean, "The source marks it as opened by the company", null=False),
    _column(
        "changed_at", DateTime, "When the source last changed it, UTC: an older state that is loaded later is none"
    ),
    _column("content_hash", Text, "Hash of all that the source gave; equal means unchanged", null=False),
    _column("load_run", Integer, "Load that stored this version", null=False),
    comment="One row per event",
)

reported_facts = Table(
    "reported_facts",
    metadata,
    _column("customer_id", Text, "Customer of the conversation", key=True),
    _column("conversation_id", Text, "The conversation", key=True),
    _column("interaction_id", Text, "The ticket or call itself, as an interaction", key=True),
    _column("source", Text, "Name under which the file was loaded", null=False),
    _column("is_answered", Boolean, "Answered or not, where the source says so"),
    _column("first_response_at", DateTime, "First human response, UTC"),
    _column("responder_agent", Text, "Who answered"),
    _column("resolved_at", DateTime, "When it was resolved, UTC"),
    _column("status", Text, "Status as the source names it"),
    _column("queue", Text, "Queue of a call"),
    _column("is_abandoned", Boolean, "The customer gave up before an answer"),
    _column("abandoned_seconds", Integer, "Seconds until the customer gave up"),
    _column("talk_seconds", Integer, "Seconds of talk"),
    _column("is_response_known", Boolean, "False where the source cannot tell whether anybody answered"),
    _column("response_changed_at", DateTime, "Time of change of the state that tells the response, UTC"),
    comment="One row per ticket or call of which the source says what became of it, but not by which events",
)

_CONTACT_COLUMNS: tuple[tuple[str, type | object, str], ...] = (
    ("source", Text, "Name under which the file was loaded"),
    ("channel", Text, "Channel"),
    ("is_public", Boolean, "Others could read it"),
    ("brand", Text, "Brand or company account addressed"),
    ("kind", Text, "customer_opened, outreach, fragment or not_addressed"),
    ("age_group", Text, "Age band of the customer at the time of contact, or 'unknown'"),
    ("topic", Text, "Primary topic of the conversation, or 'unknown'"),
    ("sentiment_label", Text, "Sentiment of the conversation's opening inbound interaction"),
    ("blamed_channel", Text, "Channel that the conversation complains about"),
)

# Gaps between the contacts of one customer (conversations with us in which the customer spoke), opening to opening,
# whole seconds. A topic fits where it is the same or one of the two is unknown.
CONTACT_GAPS = {
    "repeats_after_seconds": "The customer's newest earlier contact of a fitting topic, any channel, to this one",
    "repeats_any_topic_after_seconds": "The same, whatever the topic",
    "again_after_seconds": "This contact to the customer's next one of a fitting topic, any channel",
    "again_any_topic_after_seconds": "The same, whatever the topic",
    "again_same_channel_after_seconds": "This contact to the next one of a fitting topic on the same channel",
    "again_same_channel_any_topic_after_seconds": "The same, whatever the topic",
}

waits = Table(
    "waits",
    metadata,
    _column("customer_id", Text, "The customer who waits", key=True),
    _column("conversation_id", Text, "The conversation", key=True),
    _column("wait_number", Integer, "1 for the first wait of the conversation", key=True),
    *(_column(name, kind, comment) for name, kind, comment in _CONTACT_COLUMNS),
    _column("team", Text, "Team or queue assigned when the wait began"),
    _column("is_opening", Boolean, "First wait of a customer-opened conversation"),
    _column("started_at", DateTime, "First inbound interaction that nobody had answered", null=False),
    _column("first_complaint_at", DateTime, "First complaint in the wait: the clock of the complaint"),
    _column("inbound_count", Integer, "Inbound interactions in the wait"),
    _column("complaint_count", Integer, "Complaints among them"),
    _column("needs_reply_at", DateTime, "First inbound interaction that asks for something; null where none does"),
    _column("has_reported_answer", Boolean, "The source says answered, but not when"),
    _column("is_response_known", Boolean, "False where the source cannot tell whether anybody answered", null=False),
    _column("response_at", DateTime, "Human response that ends the wait"),
    _column("responder_agent", Text, "Who answered"),
    _column("responder_team", Text, "Team of the answer"),
    _column("first_bot_response_at", DateTime, "First bot or automatic answer after the start"),
    _column("elsewhere_at", DateTime, "First human reply to the customer on another channel after the start"),
    _column("elsewhere_channel", Text, "That channel"),
    _column("complaint_elsewhere_at", DateTime, "The same, after the first complaint"),
    _column("complaint_elsewhere_channel", Text, "That channel"),
    _column("response_seconds", BigInteger, "Start to response, calendar clock, whole seconds"),
    _column("complaint_response_seconds", BigInteger, "First complaint to response, whole seconds"),
    _column("calendar", Text, "Calendar by which it is answered; empty where at all hours"),
    _column("business_start_seconds", BigInteger, "Open seconds of the calendar before the start"),
    _column("business_complaint_start_seconds", BigInteger, "Open seconds of the calendar before the first complaint"),
    _column("business_response_seconds", BigInteger, "Start to response in opening hours"),
    _column("business_complaint_response_seconds", BigInteger, "First complaint to response in opening hours"),
    _column("target_seconds", BigInteger, "Response target in force when the wait began"),
    _column("ignored_after_seconds", BigInteger, "*Ignored after* in force when the wait began"),
    _column("clock", Text, "Clock of both thresholds: calendar or business"),
    _column("target_due_at", DateTime, "Start + target, on its clock"),
    _column("ignored_due_at", DateTime, "Start + ignored after, on its clock"),
    _column("complaint_target_due_at", DateTime, "First complaint + target, on its clock"),
    _column("complaint_ignored_due_at", DateTime, "First complaint + ignored after, on its clock"),
    _column("audience", BigInteger, "Largest audience of its inbound interactions"),
    _column("previous_agent", Text, "Who had answered last in the conversation before the wait began"),
    _column("earlier_conversation_count", Integer, "Conversations that the customer had begun before this one"),
    _column("is_recognisable", Boolean, "As of the conversation"),
    _column("private_since_at", DateTime, "When the customer's first conversation on a private channel opened"),
    _column("public_since_at", DateTime, "When the customer's first conversation on a public channel opened"),
    _column("told_at", DateTime, "Last message of the telling; empty where no earlier telling can be set against it"),
    _column(
        "other_channel_likeness", Double, "Likeness, 0 to 1, to the most alike earlier telling on another channel"
    ),
    _column("other_channel_conversation_id", Text, "The conversation of that telling"),
    _column("other_channel_wait_number", Integer, "Its wait"),
    _column("other_channel_told_at", DateTime, "When it was told"),
    _column("other_channel", Text, "Its channel"),
    _column("other_agent_likeness", Double, "The same, of tellings on this channel that another agent had answered"),
    _column("other_agent_conversation_id", Text, "The conversation of that telling"),
    _column("other_agent_wait_number", Integer, "Its wait"),
    _column("other_agent_told_at", DateTime, "When it was told"),
    comment="One row per unanswered run: from the first inbound interaction to the response that ends it",
)

conversations = Table(
    "conversations",
    metadata,
    _column("customer_id", Text, "The customer", key=True),
    _column("conversation_id", Text, "Opaque id of the conversation", key=True),
    *(_column(name, kind, comment) for name, kind, comment in _CONTACT_COLUMNS),
    _column("external_id", Text, "Thread, ticket or call id in the source"),
    _column("team", Text, "Team or queue assigned when it was opened"),
    _column("opened_at", DateTime, "First visible interaction", null=False),
    _column("first_inbound_at", DateTime, "First inbound interaction"),
    _column("last_inbound_at", DateTime, "Newest inbound interaction"),
    _column("last_event_at", DateTime, "Newest visible interaction"),
    _column("first_response_at", DateTime, "First human response to the opening"),
    _column("responder_agent", Text, "Who gave it"),
    _column("responder_team", Text, "Team of the first response"),
    _column("first_bot_response_at", DateTime, "First bot or automatic answer"),
    _column("direct_response_at", DateTime, "First human response that answers the opening itself, by its reply link"),
    _column("has_reply_links", Boolean, "The source links replies to what they answer"),
    _column("last_agent", Text, "Who wrote the newest human response"),
    _column("first_response_seconds", BigInteger, "Opening to first response, whole seconds"),
    _column("calendar", Text, "Calendar by which it is answered; empty where at all hours"),
    _column("business_start_seconds", BigInteger, "Open seconds of the calendar before the opening"),
    _column("business_response_seconds", BigInteger, "First response in opening hours"),
    _column("has_reported_answer", Boolean, "The source says answered, but not when"),
    _column("is_response_known", Boolean, "False where the source cannot tell whether anybody answered", null=False),
    _column("needs_reply_at", DateTime, "When its opening wait first asked for something; null where it never did"),
    _column("target_seconds", BigInteger, "Response target in force at the opening"),
    _column("ignored_after_seconds", BigInteger, "*Ignored after* in force at the opening"),
    _column("clock", Text, "Clock of both thresholds"),
    _column("target_due_at", DateTime, "Opening + target, on its clock"),
    _column("ignored_due_at", DateTime, "Opening + ignored after, on its clock"),
    _column("resolved_at", DateTime, "When it was resolved, where the source knows"),
    _column("status", Text, "Status as the source names it"),
    _column("queue", Text, "Queue of a call"),
    _column("is_call", Boolean, "A call whose offering, answer or abandonment is known"),
    _column("is_abandoned", Boolean, "The customer gave up before an answer"),
    _column("abandoned_seconds", Integer, "Seconds until the customer gave up"),
    _column("talk_seconds", Integer, "Seconds of talk"),
    _column("is_closed_without_reply", Boolean, "Closed or resolved, and nobody had answered"),
    _column("is_complaint", Boolean, "At least one inbound interaction is a complaint"),
    _column("first_complaint_at", DateTime, "First complaint"),
    _column("sentiment_score", Double, "Score of the opening inbound interaction"),
    _column("closing_sentiment_label", Text, "Sentiment of the newest inbound interaction"),
    _column("closing_sentiment_score", Double, "Its score"),
    _column("topics", Text, "All topics of the conversation's inbound interactions"),
    _column("inbound_count", Integer, "Inbound interactions"),
    _column("outbound_count", Integer, "Human outbound interactions visible to the customer"),
    _column("wait_count", Integer, "Waits"),
    _column("previous_conversation_id", Text, "The customer's conversation before this, on any channel"),
    _column("previous_opened_at", DateTime, "When that one was opened"),
    _column("previous_channel", Text, "Its channel"),
    _column("previous_gap_seconds", BigInteger, "Opening of the previous to the opening of this"),
    _column("is_recognisable", Boolean, "An id, address, number or handle of the customer is known that joins others"),
    *(_column(name, BigInteger, comment) for name, comment in CONTACT_GAPS.items()),
    _column("audience", BigInteger, "Largest audience of its inbound interactions"),
    comment="One row per conversation: what the pages read",
)

calendar_days = Table(
    "calendar_days",
    metadata,
    _column("calendar", Text, "Name of the calendar", key=True),
    _column("day", Date, "UTC date", key=True),
    _column("open_at", DateTime, "Start of the open segment on that date, UTC", key=True),
    _column("close_at", DateTime, "End of the segment"),
    _column("open_seconds_before", BigInteger, "Open seconds of the calendar before this segment"),
    comment="One row per calendar, UTC date and open segment",
)

load_runs = Table(
    "load_runs",
    metadata,
    _column("load_run", Integer, "Number of the load", key=True),
    _column("started_at", DateTime, "When it began, UTC", null=False),
    _column("finished_at", DateTime, "When it was complete, UTC"),
    _column("file", Text, "File name, without its folder"),
    _column("source", Text, "Name under which it was loaded"),
    _column("adapter", Text, "File kind: twcs, csv, customers …"),
    _column("read_count", BigInteger, "Rows read"),
    _column("stored_count", BigInteger, "Rows stored or changed"),
    _column("unchanged_count", BigInteger, "Rows that were there already"),
    _column("rejected_count", BigInteger, "Rows rejected"),
    _column(
        "file_hash", Text, "Hash of what the files held and of how they were read, where `frontdoor watch` loaded them"
    ),
    comment="One row per loaded file",
)

rejected_rows = Table(
    "rejected_rows",
    metadata,
    _column("reject_id", Text, "Hash of source, file, line, reason and raw text", key=True),
    _column("load_run", Integer, "Load that saw it first", null=False),
    _column("last_load_run", Integer, "Newest load that saw it", null=False),
    _column("source", Text, "Name under which the file was loaded", null=False),
    _column("file", Text, "File name", null=False),
    _column("line", BigInteger, "Line on which the record begins; 1 is the header", null=False),
    _column("reason", Text, "What is wrong and, where known, how to mend it", null=False),
    _column("raw", Text, "The record as it stands in the file; personal data"),
    comment="One row per rejected record: nothing is lost",
)

forgotten_identities = Table(
    "forgotten_identities",
    metadata,
    _column(
        "identity_hash", Text, "Keyed hash of an identity of a forgotten customer; the key is in store_info", key=True
    ),
    _column("forgotten_at", DateTime, "When the customer was forgotten, UTC", null=False),
    comment="One row per identity that no load may bring back; holds no personal data",
)

source_status = Table(
    "source_status",
    metadata,
    _column("source", Text, "Name of the source", key=True),
    _column("complete_to", DateTime, "Up to when its data is complete, UTC", null=False),
    _column("is_complete_to_given", Boolean, "Given by hand, not taken from the newest event", null=False),
    _column("newest_event_at", DateTime, "Newest event"),
    _column("has_response_times", Boolean, "False where the source knows only resolution or dates", null=False),
    comment="One row per source",
)

store_info = Table(
    "store_info",
    metadata,
    _column(
        "key",
        Text,
        "schema_version, store_version, settings, settings_fingerprint, created_at, layout, forget_salt",
        key=True,
    ),
    _column("value", Text, "Its value", null=False),
    comment="One row per fact about the store",
)

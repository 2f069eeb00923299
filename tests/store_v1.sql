-- A store of schema version 1 as Frontdoor fbd1d18 wrote it from the tiny rows of conftest.py and one bad row.
CREATE TABLE agents (
    agent TEXT NOT NULL,
    source TEXT NOT NULL,
    team TEXT,
    last_seen_at TIMESTAMP,
    PRIMARY KEY (agent, source)
);
CREATE TABLE calendar_days (
    calendar TEXT NOT NULL,
    day DATE NOT NULL,
    open_at TIMESTAMP NOT NULL,
    close_at TIMESTAMP,
    open_seconds_before BIGINT,
    PRIMARY KEY (calendar, day, open_at)
);
CREATE TABLE conversations (
    customer_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    source TEXT,
    channel TEXT,
    is_public BOOLEAN,
    brand TEXT,
    kind TEXT,
    age_group TEXT,
    topic TEXT,
    sentiment_label TEXT,
    blamed_channel TEXT,
    external_id TEXT,
    team TEXT,
    opened_at TIMESTAMP NOT NULL,
    first_inbound_at TIMESTAMP,
    last_inbound_at TIMESTAMP,
    last_event_at TIMESTAMP,
    first_response_at TIMESTAMP,
    responder_agent TEXT,
    responder_team TEXT,
    first_bot_response_at TIMESTAMP,
    direct_response_at TIMESTAMP,
    has_reply_links BOOLEAN,
    last_agent TEXT,
    first_response_seconds BIGINT,
    calendar TEXT,
    business_start_seconds BIGINT,
    business_response_seconds BIGINT,
    has_reported_answer BOOLEAN,
    needs_reply BOOLEAN,
    target_seconds BIGINT,
    ignored_after_seconds BIGINT,
    clock TEXT,
    target_due_at TIMESTAMP,
    resolved_at TIMESTAMP,
    status TEXT,
    queue TEXT,
    is_call BOOLEAN,
    is_abandoned BOOLEAN,
    abandoned_seconds INTEGER,
    talk_seconds INTEGER,
    is_closed_without_reply BOOLEAN,
    is_complaint BOOLEAN,
    first_complaint_at TIMESTAMP,
    sentiment_score DOUBLE PRECISION,
    closing_sentiment_label TEXT,
    closing_sentiment_score DOUBLE PRECISION,
    topics TEXT,
    inbound_count INTEGER,
    outbound_count INTEGER,
    wait_count INTEGER,
    previous_conversation_id TEXT,
    previous_opened_at TIMESTAMP,
    previous_channel TEXT,
    previous_gap_seconds BIGINT,
    audience BIGINT,
    PRIMARY KEY (customer_id, conversation_id)
);
CREATE TABLE customer_identities (
    customer_id TEXT NOT NULL,
    identity_kind TEXT NOT NULL,
    identity_value TEXT NOT NULL,
    origin TEXT,
    PRIMARY KEY (customer_id, identity_kind, identity_value)
);
CREATE TABLE customers (
    customer_id TEXT NOT NULL,
    birth_date DATE,
    birth_year INTEGER,
    age_group_given TEXT,
    segment TEXT,
    followers BIGINT,
    display_name TEXT,
    handle TEXT,
    PRIMARY KEY (customer_id)
);
CREATE TABLE event_keys (
    interaction_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    PRIMARY KEY (interaction_id)
);
CREATE TABLE interactions (
    customer_id TEXT NOT NULL,
    interaction_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    thread_id TEXT,
    channel TEXT NOT NULL,
    direction TEXT NOT NULL,
    author_kind TEXT NOT NULL,
    author TEXT,
    agent TEXT,
    team TEXT,
    brand TEXT,
    occurred_at TIMESTAMP NOT NULL,
    text TEXT,
    language TEXT,
    sentiment_label TEXT,
    sentiment_score DOUBLE PRECISION,
    sentiment_confidence DOUBLE PRECISION,
    sentiment_scorer TEXT,
    not_scored_reason TEXT,
    is_complaint BOOLEAN,
    complaint_scorer TEXT,
    needs_reply BOOLEAN,
    topics TEXT,
    topic TEXT,
    blamed_channel TEXT,
    evidence TEXT,
    supplied TEXT,
    audience BIGINT,
    reply_to TEXT,
    recorded_responses TEXT,
    has_reported_answer BOOLEAN NOT NULL,
    is_visible BOOLEAN NOT NULL,
    is_addressed BOOLEAN NOT NULL,
    is_parent_missing BOOLEAN NOT NULL,
    is_outreach BOOLEAN NOT NULL,
    content_hash TEXT NOT NULL,
    load_run INTEGER NOT NULL,
    PRIMARY KEY (customer_id, interaction_id)
);
CREATE TABLE load_runs (
    load_run INTEGER NOT NULL,
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    file TEXT,
    source TEXT,
    adapter TEXT,
    read_count BIGINT,
    stored_count BIGINT,
    unchanged_count BIGINT,
    rejected_count BIGINT,
    PRIMARY KEY (load_run)
);
CREATE TABLE rejected_rows (
    reject_id TEXT NOT NULL,
    load_run INTEGER NOT NULL,
    source TEXT NOT NULL,
    file TEXT NOT NULL,
    line BIGINT NOT NULL,
    reason TEXT NOT NULL,
    raw TEXT,
    PRIMARY KEY (reject_id)
);
CREATE TABLE reported_facts (
    customer_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    source TEXT NOT NULL,
    is_answered BOOLEAN,
    first_response_at TIMESTAMP,
    responder_agent TEXT,
    resolved_at TIMESTAMP,
    status TEXT,
    queue TEXT,
    is_abandoned BOOLEAN,
    abandoned_seconds INTEGER,
    talk_seconds INTEGER,
    PRIMARY KEY (customer_id, conversation_id)
);
CREATE TABLE source_status (
    source TEXT NOT NULL,
    complete_to TIMESTAMP NOT NULL,
    is_complete_to_given BOOLEAN NOT NULL,
    newest_event_at TIMESTAMP,
    has_response_times BOOLEAN NOT NULL,
    PRIMARY KEY (source)
);
CREATE TABLE store_info (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key)
);
CREATE TABLE waits (
    customer_id TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    wait_number INTEGER NOT NULL,
    source TEXT,
    channel TEXT,
    is_public BOOLEAN,
    brand TEXT,
    kind TEXT,
    age_group TEXT,
    topic TEXT,
    sentiment_label TEXT,
    blamed_channel TEXT,
    team TEXT,
    is_opening BOOLEAN,
    started_at TIMESTAMP NOT NULL,
    first_complaint_at TIMESTAMP,
    inbound_count INTEGER,
    complaint_count INTEGER,
    needs_reply BOOLEAN,
    has_reported_answer BOOLEAN,
    response_at TIMESTAMP,
    responder_agent TEXT,
    responder_team TEXT,
    first_bot_response_at TIMESTAMP,
    elsewhere_at TIMESTAMP,
    elsewhere_channel TEXT,
    complaint_elsewhere_at TIMESTAMP,
    complaint_elsewhere_channel TEXT,
    response_seconds BIGINT,
    complaint_response_seconds BIGINT,
    calendar TEXT,
    business_start_seconds BIGINT,
    business_complaint_start_seconds BIGINT,
    business_response_seconds BIGINT,
    business_complaint_response_seconds BIGINT,
    target_seconds BIGINT,
    ignored_after_seconds BIGINT,
    clock TEXT,
    target_due_at TIMESTAMP,
    ignored_due_at TIMESTAMP,
    complaint_target_due_at TIMESTAMP,
    complaint_ignored_due_at TIMESTAMP,
    audience BIGINT,
    PRIMARY KEY (customer_id, conversation_id, wait_number)
);
INSERT INTO agents (agent, source, team, last_seen_at) VALUES ('Bo', 'tiny', 'Mail', '2026-01-08 11:00:00');
INSERT INTO agents (agent, source, team, last_seen_at) VALUES ('Cy', 'tiny', 'Phone', '2026-01-06 11:00:00');
INSERT INTO agents (agent, source, team, last_seen_at) VALUES ('Di', 'tiny', 'Chat', '2026-01-07 10:10:00');
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, first_response_at, responder_agent, responder_team, has_reply_links, last_agent, first_response_seconds, calendar, business_response_seconds, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, first_complaint_at, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('c32rpYOzzH5Y', 'vzzGXb5EPe1I', 'tiny', 'email', FALSE, 'Acme', 'customer_opened', '18-24', 'delivery', 'negative', 'c1', 'Mail', '2026-01-05 09:00:00', '2026-01-05 09:00:00', '2026-01-05 09:00:00', '2026-01-05 10:00:00', '2026-01-05 10:00:00', 'Bo', 'Mail', FALSE, 'Bo', 3600, '', 3600, FALSE, TRUE, 28800, 172800, 'calendar', '2026-01-05 17:00:00', FALSE, FALSE, FALSE, TRUE, '2026-01-05 09:00:00', -1.0, 'negative', -1.0, 'delivery', 1, 1, 1);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, has_reply_links, calendar, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, first_complaint_at, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('cKn6b0STQHSY', 'vsGwYT2IqeZ8', 'tiny', 'twitter', TRUE, 'Acme', 'customer_opened', 'unknown', 'billing', 'negative', 'c5', 'Social', '2026-01-09 11:00:00', '2026-01-09 11:00:00', '2026-01-09 11:00:00', '2026-01-09 11:00:00', FALSE, '', FALSE, TRUE, 3600, 86400, 'calendar', '2026-01-09 12:00:00', FALSE, FALSE, FALSE, TRUE, '2026-01-09 11:00:00', -1.0, 'negative', -1.0, 'billing', 1, 0, 1);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, first_bot_response_at, has_reply_links, calendar, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('cPwjZ5kZmJNY', 'vbV7a24bt6Z4', 'tiny', 'chat', FALSE, 'Acme', 'customer_opened', 'unknown', 'delivery', 'neutral', 'c7', 'Chat', '2026-01-08 10:00:00', '2026-01-08 10:00:00', '2026-01-08 10:00:00', '2026-01-08 10:00:00', '2026-01-08 10:00:00', FALSE, '', FALSE, TRUE, 120, 3600, 'calendar', '2026-01-08 10:02:00', FALSE, FALSE, FALSE, FALSE, 0.0, 'neutral', 0.0, 'delivery', 1, 0, 1);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, blamed_channel, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, first_response_at, responder_agent, responder_team, has_reply_links, last_agent, first_response_seconds, calendar, business_response_seconds, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, first_complaint_at, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('cSE4B4GtHxV0', 'vSQAyz_auOOI', 'tiny', 'chat', FALSE, 'Acme', 'customer_opened', 'unknown', 'billing', 'neutral', 'web_form', 'c6', 'Chat', '2026-01-07 10:00:00', '2026-01-07 10:00:00', '2026-01-07 10:05:00', '2026-01-07 10:10:00', '2026-01-07 10:01:00', 'Di', 'Chat', FALSE, 'Di', 60, '', 60, FALSE, TRUE, 120, 3600, 'calendar', '2026-01-07 10:02:00', FALSE, FALSE, FALSE, TRUE, '2026-01-07 10:05:00', 0.0, 'negative', -1.0, 'billing', 2, 2, 2);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, has_reply_links, calendar, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, sentiment_score, closing_sentiment_label, closing_sentiment_score, inbound_count, outbound_count, wait_count) VALUES ('cTE7gEgKVt1I', 'vlF_l3P_qwo8', 'tiny', 'email', FALSE, 'Acme', 'customer_opened', 'unknown', 'unknown', 'positive', 'c10', 'Mail', '2026-01-08 12:00:00', '2026-01-08 12:00:00', '2026-01-08 12:00:00', '2026-01-08 12:00:00', FALSE, '', FALSE, FALSE, 28800, 172800, 'calendar', '2026-01-08 20:00:00', FALSE, FALSE, FALSE, FALSE, 1.0, 'positive', 1.0, 1, 0, 1);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, has_reply_links, calendar, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, first_complaint_at, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('cW6jy8hTGIss', 'v32u1ralibb0', 'tiny', 'email', FALSE, 'Acme', 'customer_opened', '35-44', 'billing', 'negative', 'c3', 'Mail', '2026-01-05 12:00:00', '2026-01-05 12:00:00', '2026-01-05 12:00:00', '2026-01-05 12:00:00', FALSE, '', FALSE, TRUE, 28800, 172800, 'calendar', '2026-01-05 20:00:00', FALSE, FALSE, FALSE, TRUE, '2026-01-05 12:00:00', -1.0, 'negative', -1.0, 'billing', 1, 0, 1);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, external_id, team, opened_at, last_event_at, has_reply_links, last_agent, has_reported_answer, needs_reply, is_call, is_abandoned, is_closed_without_reply, is_complaint, inbound_count, outbound_count, wait_count) VALUES ('cX8U5XvaLt2w', 'vpjFfEzJAWGI', 'tiny', 'email', FALSE, 'Acme', 'outreach', 'unknown', 'unknown', 'c8', 'Mail', '2026-01-08 11:00:00', '2026-01-08 11:00:00', FALSE, 'Bo', FALSE, FALSE, FALSE, FALSE, FALSE, FALSE, 0, 1, 0);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, first_response_at, responder_agent, responder_team, has_reply_links, last_agent, first_response_seconds, calendar, business_response_seconds, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, first_complaint_at, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('cZ-twKm-71HE', 'vuxYAKDoJD4w', 'tiny', 'email', FALSE, 'Acme', 'customer_opened', '65+', 'billing', 'negative', 'c2', 'Mail', '2026-01-05 09:00:00', '2026-01-05 09:00:00', '2026-01-05 09:00:00', '2026-01-05 19:00:00', '2026-01-05 19:00:00', 'Bo', 'Mail', FALSE, 'Bo', 36000, '', 36000, FALSE, TRUE, 28800, 172800, 'calendar', '2026-01-05 17:00:00', FALSE, FALSE, FALSE, TRUE, '2026-01-05 09:00:00', -1.0, 'negative', -1.0, 'billing', 1, 1, 1);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, first_response_at, responder_agent, responder_team, has_reply_links, last_agent, first_response_seconds, calendar, business_response_seconds, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count, previous_conversation_id, previous_opened_at, previous_channel, previous_gap_seconds) VALUES ('czkMFK2CMsx4', 'vaNtWm8dtNBM', 'tiny', 'phone', FALSE, 'Acme', 'customer_opened', '<18', 'outage', 'neutral', 'c9', 'Phone', '2026-01-06 10:50:00', '2026-01-06 10:50:00', '2026-01-09 12:00:00', '2026-01-09 12:00:00', '2026-01-06 11:00:00', 'Cy', 'Phone', FALSE, 'Cy', 600, '', 600, FALSE, TRUE, 20, 1800, 'calendar', '2026-01-06 10:50:20', FALSE, FALSE, FALSE, FALSE, 0.0, 'positive', 1.0, 'outage', 2, 1, 2, 'vmYR2V2sIoQ8', '2026-01-06 09:00:00', 'twitter', 6600);
INSERT INTO conversations (customer_id, conversation_id, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, external_id, team, opened_at, first_inbound_at, last_inbound_at, last_event_at, has_reply_links, calendar, has_reported_answer, needs_reply, target_seconds, ignored_after_seconds, clock, target_due_at, is_call, is_abandoned, is_closed_without_reply, is_complaint, first_complaint_at, sentiment_score, closing_sentiment_label, closing_sentiment_score, topics, inbound_count, outbound_count, wait_count) VALUES ('czkMFK2CMsx4', 'vmYR2V2sIoQ8', 'tiny', 'twitter', TRUE, 'Acme', 'customer_opened', '<18', 'outage', 'negative', 'c4', 'Social', '2026-01-06 09:00:00', '2026-01-06 09:00:00', '2026-01-06 09:00:00', '2026-01-06 09:00:00', FALSE, '', FALSE, TRUE, 3600, 86400, 'calendar', '2026-01-06 10:00:00', FALSE, FALSE, FALSE, TRUE, '2026-01-06 09:00:00', -1.0, 'negative', -1.0, 'outage', 1, 0, 1);
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('c32rpYOzzH5Y', 'id:customers', 'A', 'customers');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('c32rpYOzzH5Y', 'id:tiny', 'anna', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cKn6b0STQHSY', 'id:tiny', 'emil', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cPwjZ5kZmJNY', 'id:tiny', 'gus', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cSE4B4GtHxV0', 'id:tiny', 'fay', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cTE7gEgKVt1I', 'id:tiny', 'ida', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cW6jy8hTGIss', 'id:customers', 'C', 'customers');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cW6jy8hTGIss', 'id:tiny', 'cleo', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cX8U5XvaLt2w', 'id:tiny', 'hal', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cZ-twKm-71HE', 'id:customers', 'B', 'customers');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('cZ-twKm-71HE', 'id:tiny', 'ben', 'tiny');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('czkMFK2CMsx4', 'id:customers', 'D', 'customers');
INSERT INTO customer_identities (customer_id, identity_kind, identity_value, origin) VALUES ('czkMFK2CMsx4', 'id:tiny', 'dora', 'tiny');
INSERT INTO customers (customer_id, birth_date) VALUES ('c32rpYOzzH5Y', '2004-01-06');
INSERT INTO customers (customer_id) VALUES ('cKn6b0STQHSY');
INSERT INTO customers (customer_id) VALUES ('cPwjZ5kZmJNY');
INSERT INTO customers (customer_id) VALUES ('cSE4B4GtHxV0');
INSERT INTO customers (customer_id) VALUES ('cTE7gEgKVt1I');
INSERT INTO customers (customer_id, age_group_given) VALUES ('cW6jy8hTGIss', '35-44');
INSERT INTO customers (customer_id) VALUES ('cX8U5XvaLt2w');
INSERT INTO customers (customer_id, birth_year) VALUES ('cZ-twKm-71HE', 1950);
INSERT INTO customers (customer_id, birth_date) VALUES ('czkMFK2CMsx4', '2008-01-07');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i-tZ2GLrDjY0', 'c32rpYOzzH5Y');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i1aozTce4XRU', 'czkMFK2CMsx4');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i772iSySXixY', 'cTE7gEgKVt1I');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i7c4loJdJRTs', 'cSE4B4GtHxV0');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i7fe_Vph98F4', 'czkMFK2CMsx4');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i7zuO1slERy8', 'cPwjZ5kZmJNY');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iAKVcgJoPRok', 'c32rpYOzzH5Y');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iBY4TCXhrBxI', 'cSE4B4GtHxV0');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iDzp0nZTKzXo', 'cZ-twKm-71HE');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iMy7o25nTyUQ', 'czkMFK2CMsx4');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iQQQlMnkXbkY', 'cW6jy8hTGIss');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iZhNYeAkBWEw', 'cX8U5XvaLt2w');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('i_7k64tPeQwU', 'cPwjZ5kZmJNY');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('ibtThTJRXfEc', 'cKn6b0STQHSY');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('idVBuoQ-egMc', 'cSE4B4GtHxV0');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('iefayuQ4o9Pg', 'cW6jy8hTGIss');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('il9JgbaxzGR4', 'czkMFK2CMsx4');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('it2O6caObJoA', 'cSE4B4GtHxV0');
INSERT INTO event_keys (interaction_id, customer_id) VALUES ('itsmTxdy5ruU', 'cZ-twKm-71HE');
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('c32rpYOzzH5Y', 'i-tZ2GLrDjY0', 'vzzGXb5EPe1I', 'tiny', '2', 'c1', 'email', 'outbound', 'agent', 'Bo', 'Bo', 'Mail', 'Acme', '2026-01-05 10:00:00', 'Sorry. It is on its way', 'en', 'neutral', 0.0, 'supplied', TRUE, 'sentiment_label', FALSE, TRUE, TRUE, FALSE, FALSE, 'z_Hj2Ux_bJ74cTRV', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('c32rpYOzzH5Y', 'iAKVcgJoPRok', 'vzzGXb5EPe1I', 'tiny', '1', 'c1', 'email', 'inbound', 'customer', 'anna', 'Mail', 'Acme', '2026-01-05 09:00:00', 'My order never came', 'en', 'negative', -1.0, 'supplied', TRUE, 'supplied', TRUE, 'delivery', 'delivery', '{"complaint":[["service_talk","my order",0.6],["waiting","never came",0.9]],"topics":{"order_stock":["order"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'uzi-ePvmgvpTguRO', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cKn6b0STQHSY', 'ibtThTJRXfEc', 'vsGwYT2IqeZ8', 'tiny', '10', 'c5', 'twitter', 'inbound', 'customer', 'emil', 'Social', 'Acme', '2026-01-09 11:00:00', 'Worst service', 'en', 'negative', -1.0, 'supplied', TRUE, 'supplied', TRUE, 'billing', 'billing', '{"complaint":[["outrage","worst",1.1],["service_talk","worst service",0.6]],"topics":{"customer_service":["worst service"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'IBNKIDIkV6LQYnmm', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cPwjZ5kZmJNY', 'i7zuO1slERy8', 'vbV7a24bt6Z4', 'tiny', '15', 'c7', 'chat', 'inbound', 'customer', 'gus', 'Chat', 'Acme', '2026-01-08 10:00:00', 'Where is my parcel?', 'en', 'neutral', 0.0, 'supplied', FALSE, 'supplied', TRUE, 'delivery', 'delivery', '{"complaint":[["waiting","where is my",0.9],["service_talk","my parcel",0.6]],"topics":{"delivery":["parcel"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'VbCXVXa0O3_vwsQb', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_confidence, sentiment_scorer, needs_reply, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cPwjZ5kZmJNY', 'i_7k64tPeQwU', 'vbV7a24bt6Z4', 'tiny', '16', 'c7', 'chat', 'outbound', 'bot', 'Chat', 'Acme', '2026-01-08 10:00:00', 'We got your message', 'en', 'positive', 0.2117, 0.4679, 'lexlinear-en/1', TRUE, FALSE, TRUE, TRUE, FALSE, FALSE, 'txDkbRDzSBozwKRd', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cSE4B4GtHxV0', 'i7c4loJdJRTs', 'vSQAyz_auOOI', 'tiny', '11', 'c6', 'chat', 'inbound', 'customer', 'fay', 'Chat', 'Acme', '2026-01-07 10:00:00', 'How do I pay?', 'en', 'neutral', 0.0, 'supplied', FALSE, 'supplied', TRUE, 'billing', 'billing', '{"complaint":[["service_talk","how do i",0.6],["refund","i pay",0.9]]}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'khZacIClwrAWXgYD', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cSE4B4GtHxV0', 'iBY4TCXhrBxI', 'vSQAyz_auOOI', 'tiny', '12', 'c6', 'chat', 'outbound', 'agent', 'Di', 'Di', 'Chat', 'Acme', '2026-01-07 10:01:00', 'On the web page', 'en', 'neutral', 0.0, 'supplied', TRUE, 'sentiment_label', FALSE, TRUE, TRUE, FALSE, FALSE, '05mWSVJc7KQ4HIKn', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cSE4B4GtHxV0', 'idVBuoQ-egMc', 'vSQAyz_auOOI', 'tiny', '14', 'c6', 'chat', 'outbound', 'agent', 'Di', 'Di', 'Chat', 'Acme', '2026-01-07 10:10:00', 'Sorry. Try again', 'en', 'neutral', 0.0, 'supplied', TRUE, 'sentiment_label', FALSE, TRUE, TRUE, FALSE, FALSE, 'qtBmv_VLxfjJeytB', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, blamed_channel, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cSE4B4GtHxV0', 'it2O6caObJoA', 'vSQAyz_auOOI', 'tiny', '13', 'c6', 'chat', 'inbound', 'customer', 'fay', 'Chat', 'Acme', '2026-01-07 10:05:00', 'That page is broken', 'en', 'negative', -1.0, 'supplied', TRUE, 'supplied', TRUE, 'billing', 'billing', 'web_form', '{"complaint":[["not_working","broken",0.9]],"topics":{"outage_fault":["broken"]},"blamed_channel":[["web_form","page is broken",1.0]]}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'mVXZRZuCsYd2Up8x', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cTE7gEgKVt1I', 'i772iSySXixY', 'vlF_l3P_qwo8', 'tiny', '18', 'c10', 'email', 'inbound', 'customer', 'ida', 'Mail', 'Acme', '2026-01-08 12:00:00', 'Thank you so much', 'en', 'positive', 1.0, 'supplied', FALSE, 'supplied', FALSE, '{"complaint":[["thanks","thank you",-0.9]],"no_reply_needed":"closing"}', 'sentiment_label,is_complaint,needs_reply', FALSE, TRUE, TRUE, FALSE, FALSE, 'm-Ss2UijDEFUhshx', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cW6jy8hTGIss', 'iQQQlMnkXbkY', 'v32u1ralibb0', 'tiny', '5', 'c3', 'email', 'inbound', 'customer', 'cleo', 'Mail', 'Acme', '2026-01-05 12:00:00', 'Nobody helps me', 'en', 'negative', -1.0, 'supplied', TRUE, 'supplied', TRUE, 'billing', 'billing', '{"complaint":[["waiting","nobody",0.9]],"topics":{"customer_service":["nobody helps"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'KoVM_eh0Fwpzk3HL', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cW6jy8hTGIss', 'iefayuQ4o9Pg', 'v32u1ralibb0', 'tiny', '6', 'c3', 'email', 'outbound', 'agent', 'Bo', 'Bo', 'Mail', 'Acme', '2026-01-05 12:30:00', 'internal: who takes this?', 'en', 'neutral', 0.0, 'supplied', TRUE, 'sentiment_label', FALSE, FALSE, TRUE, FALSE, FALSE, '9dnm8P_Gp3ROqIV6', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cX8U5XvaLt2w', 'iZhNYeAkBWEw', 'vpjFfEzJAWGI', 'tiny', '17', 'c8', 'email', 'outbound', 'agent', 'Bo', 'Bo', 'Mail', 'Acme', '2026-01-08 11:00:00', 'Your contract ends', 'en', 'neutral', 0.0, 'supplied', TRUE, 'sentiment_label', FALSE, TRUE, TRUE, FALSE, TRUE, 'Q7qml7YoT4HdM7XE', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cZ-twKm-71HE', 'iDzp0nZTKzXo', 'vuxYAKDoJD4w', 'tiny', '4', 'c2', 'email', 'outbound', 'agent', 'Bo', 'Bo', 'Mail', 'Acme', '2026-01-05 19:00:00', 'We will look at it', 'en', 'neutral', 0.0, 'supplied', TRUE, 'sentiment_label', FALSE, TRUE, TRUE, FALSE, FALSE, 'JT9C0l1jyLhbHU2V', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('cZ-twKm-71HE', 'itsmTxdy5ruU', 'vuxYAKDoJD4w', 'tiny', '3', 'c2', 'email', 'inbound', 'customer', 'ben', 'Mail', 'Acme', '2026-01-05 09:00:00', 'The bill is wrong', 'en', 'negative', -1.0, 'supplied', TRUE, 'supplied', TRUE, 'billing', 'billing', '{"complaint":[["fault","wrong",0.8]],"topics":{"billing":["bill"],"product_quality":["wrong"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'TfBeNAfNLObL0W-g', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('czkMFK2CMsx4', 'i1aozTce4XRU', 'vaNtWm8dtNBM', 'tiny', '19', 'c9', 'phone', 'inbound', 'customer', 'dora', 'Phone', 'Acme', '2026-01-09 12:00:00', 'Thanks', 'en', 'positive', 1.0, 'supplied', FALSE, 'supplied', FALSE, '{"no_reply_needed":"closing"}', 'sentiment_label,is_complaint,needs_reply', FALSE, TRUE, TRUE, FALSE, FALSE, 'JHySV_HnWc1sL0d2', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('czkMFK2CMsx4', 'i7fe_Vph98F4', 'vaNtWm8dtNBM', 'tiny', '8', 'c9', 'phone', 'inbound', 'customer', 'dora', 'Phone', 'Acme', '2026-01-06 10:50:00', 'Calling about the internet', 'en', 'neutral', 0.0, 'supplied', FALSE, 'supplied', TRUE, 'outage', 'outage', '{"topics":{"outage_fault":["internet"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'HlrbgtNttqPlmLhL', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, agent, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, needs_reply, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('czkMFK2CMsx4', 'iMy7o25nTyUQ', 'vaNtWm8dtNBM', 'tiny', '9', 'c9', 'phone', 'outbound', 'agent', 'Cy', 'Cy', 'Phone', 'Acme', '2026-01-06 11:00:00', 'It is repaired', 'en', 'positive', 1.0, 'supplied', TRUE, 'sentiment_label', FALSE, TRUE, TRUE, FALSE, FALSE, 'mqaBL2l2luSONs_p', 1);
INSERT INTO interactions (customer_id, interaction_id, conversation_id, source, external_id, thread_id, channel, direction, author_kind, author, team, brand, occurred_at, text, language, sentiment_label, sentiment_score, sentiment_scorer, is_complaint, complaint_scorer, needs_reply, topics, topic, evidence, supplied, has_reported_answer, is_visible, is_addressed, is_parent_missing, is_outreach, content_hash, load_run) VALUES ('czkMFK2CMsx4', 'il9JgbaxzGR4', 'vmYR2V2sIoQ8', 'tiny', '7', 'c4', 'twitter', 'inbound', 'customer', 'dora', 'Social', 'Acme', '2026-01-06 09:00:00', 'Still no internet!', 'en', 'negative', -1.0, 'supplied', TRUE, 'supplied', TRUE, 'outage', 'outage', '{"complaint":[["waiting","still no",0.9],["repeated","still",0.7],["not_working","no internet",0.9],["service_talk","no",0.6]],"topics":{"outage_fault":["no internet","internet"]}}', 'sentiment_label,is_complaint,needs_reply,topic', FALSE, TRUE, TRUE, FALSE, FALSE, 'mZYe2pTWyjFTFYc0', 1);
INSERT INTO load_runs (load_run, started_at, finished_at, file, source, adapter, read_count, stored_count, unchanged_count, rejected_count) VALUES (1, '2026-01-10 00:00:00', '2026-11-22 21:53:08', 'messages.csv', 'tiny', 'csv', 20, 19, 0, 1);
INSERT INTO load_runs (load_run, started_at, finished_at, file, source, adapter, read_count, stored_count, unchanged_count, rejected_count) VALUES (2, '2026-01-10 00:00:00', '2026-11-22 21:53:09', 'customers.csv', 'customers', 'customers', 4, 4, 0, 0);
INSERT INTO rejected_rows (reject_id, load_run, source, file, line, reason, raw) VALUES ('rY_y2sehwOek', 1, 'tiny', 'messages.csv', 21, 'occurred_at is ''yesterday'', not a possible time of the form 2026-01-31 09:30:00', '20,c11,jo,email,inbound,customer,,Mail,Acme,yesterday,When?,,,,,,
');
INSERT INTO source_status (source, complete_to, is_complete_to_given, newest_event_at, has_response_times) VALUES ('tiny', '2026-01-09 12:00:00', FALSE, '2026-01-09 12:00:00', TRUE);
INSERT INTO store_info (key, value) VALUES ('created_at', '2026-11-22T21:53:07');
INSERT INTO store_info (key, value) VALUES ('schema_version', '1');
INSERT INTO store_info (key, value) VALUES ('settings', '{"accounts": [], "age_bands": ["<18", "18-24", "25-34", "35-44", "45-54", "55-64", "65+"], "brand_words": [], "calendar_uses": [], "calendars": [], "company": "", "cues_file": "", "preset_private": "sensitive", "preset_public": "strict", "repeat_contact_days": 7, "short_abandon_seconds": 5, "simulated": false, "thresholds": [{"brand": null, "channels": ["phone"], "clock": "calendar", "ignored_after_seconds": 1800, "in_force_from": null, "target_seconds": 20, "team": null}, {"brand": null, "channels": ["chat"], "clock": "calendar", "ignored_after_seconds": 3600, "in_force_from": null, "target_seconds": 120, "team": null}, {"brand": null, "channels": ["twitter"], "clock": "calendar", "ignored_after_seconds": 86400, "in_force_from": null, "target_seconds": 3600, "team": null}, {"brand": null, "channels": ["facebook"], "clock": "calendar", "ignored_after_seconds": 86400, "in_force_from": null, "target_seconds": 3600, "team": null}, {"brand": null, "channels": ["instagram"], "clock": "calendar", "ignored_after_seconds": 86400, "in_force_from": null, "target_seconds": 3600, "team": null}, {"brand": null, "channels": ["sms"], "clock": "calendar", "ignored_after_seconds": 86400, "in_force_from": null, "target_seconds": 3600, "team": null}, {"brand": null, "channels": ["whatsapp"], "clock": "calendar", "ignored_after_seconds": 86400, "in_force_from": null, "target_seconds": 3600, "team": null}, {"brand": null, "channels": ["email"], "clock": "calendar", "ignored_after_seconds": 172800, "in_force_from": null, "target_seconds": 28800, "team": null}, {"brand": null, "channels": ["web_form"], "clock": "calendar", "ignored_after_seconds": 172800, "in_force_from": null, "target_seconds": 28800, "team": null}, {"brand": null, "channels": ["review"], "clock": "calendar", "ignored_after_seconds": 604800, "in_force_from": null, "target_seconds": 86400, "team": null}, {"brand": null, "channels": ["forum"], "clock": "calendar", "ignored_after_seconds": 604800, "in_force_from": null, "target_seconds": 86400, "team": null}, {"brand": null, "channels": ["letter"], "clock": "calendar", "ignored_after_seconds": 1296000, "in_force_from": null, "target_seconds": 432000, "team": null}, {"brand": null, "channels": ["in_person"], "clock": "calendar", "ignored_after_seconds": 259200, "in_force_from": null, "target_seconds": 86400, "team": null}, {"brand": null, "channels": ["other"], "clock": "calendar", "ignored_after_seconds": 259200, "in_force_from": null, "target_seconds": 86400, "team": null}], "unknown_time_counts_as": "answered", "zone": "UTC"}');
INSERT INTO store_info (key, value) VALUES ('settings_fingerprint', 'd3ce1c5ae3bf44eb');
INSERT INTO store_info (key, value) VALUES ('store_version', '2');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, first_complaint_at, inbound_count, complaint_count, needs_reply, has_reported_answer, response_at, responder_agent, responder_team, response_seconds, complaint_response_seconds, calendar, business_response_seconds, business_complaint_response_seconds, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at, complaint_target_due_at, complaint_ignored_due_at) VALUES ('c32rpYOzzH5Y', 'vzzGXb5EPe1I', 1, 'tiny', 'email', FALSE, 'Acme', 'customer_opened', '18-24', 'delivery', 'negative', 'Mail', TRUE, '2026-01-05 09:00:00', '2026-01-05 09:00:00', 1, 1, TRUE, FALSE, '2026-01-05 10:00:00', 'Bo', 'Mail', 3600, 3600, '', 3600, 3600, 28800, 172800, 'calendar', '2026-01-05 17:00:00', '2026-01-07 09:00:00', '2026-01-05 17:00:00', '2026-01-07 09:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, first_complaint_at, inbound_count, complaint_count, needs_reply, has_reported_answer, calendar, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at, complaint_target_due_at, complaint_ignored_due_at) VALUES ('cKn6b0STQHSY', 'vsGwYT2IqeZ8', 1, 'tiny', 'twitter', TRUE, 'Acme', 'customer_opened', 'unknown', 'billing', 'negative', 'Social', TRUE, '2026-01-09 11:00:00', '2026-01-09 11:00:00', 1, 1, TRUE, FALSE, '', 3600, 86400, 'calendar', '2026-01-09 12:00:00', '2026-01-10 11:00:00', '2026-01-09 12:00:00', '2026-01-10 11:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, inbound_count, complaint_count, needs_reply, has_reported_answer, first_bot_response_at, calendar, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at) VALUES ('cPwjZ5kZmJNY', 'vbV7a24bt6Z4', 1, 'tiny', 'chat', FALSE, 'Acme', 'customer_opened', 'unknown', 'delivery', 'neutral', 'Chat', TRUE, '2026-01-08 10:00:00', 1, 0, TRUE, FALSE, '2026-01-08 10:00:00', '', 120, 3600, 'calendar', '2026-01-08 10:02:00', '2026-01-08 11:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, blamed_channel, team, is_opening, started_at, inbound_count, complaint_count, needs_reply, has_reported_answer, response_at, responder_agent, responder_team, response_seconds, calendar, business_response_seconds, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at) VALUES ('cSE4B4GtHxV0', 'vSQAyz_auOOI', 1, 'tiny', 'chat', FALSE, 'Acme', 'customer_opened', 'unknown', 'billing', 'neutral', 'web_form', 'Chat', TRUE, '2026-01-07 10:00:00', 1, 0, TRUE, FALSE, '2026-01-07 10:01:00', 'Di', 'Chat', 60, '', 60, 120, 3600, 'calendar', '2026-01-07 10:02:00', '2026-01-07 11:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, blamed_channel, team, is_opening, started_at, first_complaint_at, inbound_count, complaint_count, needs_reply, has_reported_answer, response_at, responder_agent, responder_team, response_seconds, complaint_response_seconds, calendar, business_response_seconds, business_complaint_response_seconds, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at, complaint_target_due_at, complaint_ignored_due_at) VALUES ('cSE4B4GtHxV0', 'vSQAyz_auOOI', 2, 'tiny', 'chat', FALSE, 'Acme', 'customer_opened', 'unknown', 'billing', 'neutral', 'web_form', 'Chat', FALSE, '2026-01-07 10:05:00', '2026-01-07 10:05:00', 1, 1, TRUE, FALSE, '2026-01-07 10:10:00', 'Di', 'Chat', 300, 300, '', 300, 300, 120, 3600, 'calendar', '2026-01-07 10:07:00', '2026-01-07 11:05:00', '2026-01-07 10:07:00', '2026-01-07 11:05:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, inbound_count, complaint_count, needs_reply, has_reported_answer, calendar, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at) VALUES ('cTE7gEgKVt1I', 'vlF_l3P_qwo8', 1, 'tiny', 'email', FALSE, 'Acme', 'customer_opened', 'unknown', 'unknown', 'positive', 'Mail', TRUE, '2026-01-08 12:00:00', 1, 0, FALSE, FALSE, '', 28800, 172800, 'calendar', '2026-01-08 20:00:00', '2026-01-10 12:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, first_complaint_at, inbound_count, complaint_count, needs_reply, has_reported_answer, calendar, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at, complaint_target_due_at, complaint_ignored_due_at) VALUES ('cW6jy8hTGIss', 'v32u1ralibb0', 1, 'tiny', 'email', FALSE, 'Acme', 'customer_opened', '35-44', 'billing', 'negative', 'Mail', TRUE, '2026-01-05 12:00:00', '2026-01-05 12:00:00', 1, 1, TRUE, FALSE, '', 28800, 172800, 'calendar', '2026-01-05 20:00:00', '2026-01-07 12:00:00', '2026-01-05 20:00:00', '2026-01-07 12:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, first_complaint_at, inbound_count, complaint_count, needs_reply, has_reported_answer, response_at, responder_agent, responder_team, response_seconds, complaint_response_seconds, calendar, business_response_seconds, business_complaint_response_seconds, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at, complaint_target_due_at, complaint_ignored_due_at) VALUES ('cZ-twKm-71HE', 'vuxYAKDoJD4w', 1, 'tiny', 'email', FALSE, 'Acme', 'customer_opened', '65+', 'billing', 'negative', 'Mail', TRUE, '2026-01-05 09:00:00', '2026-01-05 09:00:00', 1, 1, TRUE, FALSE, '2026-01-05 19:00:00', 'Bo', 'Mail', 36000, 36000, '', 36000, 36000, 28800, 172800, 'calendar', '2026-01-05 17:00:00', '2026-01-07 09:00:00', '2026-01-05 17:00:00', '2026-01-07 09:00:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, inbound_count, complaint_count, needs_reply, has_reported_answer, response_at, responder_agent, responder_team, response_seconds, calendar, business_response_seconds, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at) VALUES ('czkMFK2CMsx4', 'vaNtWm8dtNBM', 1, 'tiny', 'phone', FALSE, 'Acme', 'customer_opened', '<18', 'outage', 'neutral', 'Phone', TRUE, '2026-01-06 10:50:00', 1, 0, TRUE, FALSE, '2026-01-06 11:00:00', 'Cy', 'Phone', 600, '', 600, 20, 1800, 'calendar', '2026-01-06 10:50:20', '2026-01-06 11:20:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, inbound_count, complaint_count, needs_reply, has_reported_answer, calendar, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at) VALUES ('czkMFK2CMsx4', 'vaNtWm8dtNBM', 2, 'tiny', 'phone', FALSE, 'Acme', 'customer_opened', '<18', 'outage', 'neutral', 'Phone', FALSE, '2026-01-09 12:00:00', 1, 0, FALSE, FALSE, '', 20, 1800, 'calendar', '2026-01-09 12:00:20', '2026-01-09 12:30:00');
INSERT INTO waits (customer_id, conversation_id, wait_number, source, channel, is_public, brand, kind, age_group, topic, sentiment_label, team, is_opening, started_at, first_complaint_at, inbound_count, complaint_count, needs_reply, has_reported_answer, elsewhere_at, elsewhere_channel, complaint_elsewhere_at, complaint_elsewhere_channel, calendar, target_seconds, ignored_after_seconds, clock, target_due_at, ignored_due_at, complaint_target_due_at, complaint_ignored_due_at) VALUES ('czkMFK2CMsx4', 'vmYR2V2sIoQ8', 1, 'tiny', 'twitter', TRUE, 'Acme', 'customer_opened', '<18', 'outage', 'negative', 'Social', TRUE, '2026-01-06 09:00:00', '2026-01-06 09:00:00', 1, 1, TRUE, FALSE, '2026-01-06 11:00:00', 'phone', '2026-01-06 11:00:00', 'phone', '', 3600, 86400, 'calendar', '2026-01-06 10:00:00', '2026-01-07 09:00:00', '2026-01-06 10:00:00', '2026-01-07 09:00:00');

"""The fixed words of the product: channels, kinds, states, and their natural order."""

import datetime as dt

SAME_OPENING = dt.timedelta(minutes=10)
"""So far apart a ticket and the first of its messages may be: what begins later has a gap before it."""

CHANNELS = (
    "phone",
    "email",
    "chat",
    "web_form",
    "sms",
    "whatsapp",
    "twitter",
    "facebook",
    "instagram",
    "review",
    "forum",
    "letter",
    "in_person",
    "other",
)
PUBLIC_CHANNELS = frozenset({"twitter", "facebook", "instagram", "review", "forum"})
CHANNEL_LABELS = {
    "phone": "Phone",
    "email": "Email",
    "chat": "Chat",
    "web_form": "Web form",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "twitter": "Twitter",
    "facebook": "Facebook",
    "instagram": "Instagram",
    "review": "Reviews",
    "forum": "Forum",
    "letter": "Letter",
    "in_person": "In person",
    "other": "Other",
}
TOPIC_LABELS = {
    "account_login": "Account or login",
    "app_website": "App or website",
    "booking_travel": "Booking or travel",
    "credit_debt": "Credit or debt",
    "fraud_security": "Fraud or security",
    "order_stock": "Order or stock",
    "outage_fault": "Outage or fault",
    "waiting_queue": "Waiting in a queue",
}
"""Of the topics whose names are no words; the others are their names, such as "lost property"."""
DIRECTIONS = ("inbound", "outbound")
AUTHOR_KINDS = ("customer", "agent", "bot", "system")
CONVERSATION_KINDS = ("customer_opened", "outreach", "fragment", "not_addressed")
KIND_LABELS = {
    "customer_opened": "Opened by the customer",
    "outreach": "Opened by us",
    "fragment": "Beginning not in the data",
    "not_addressed": "Not addressed to us",
}
RESPONSE_STATES = (
    "answered_in_target",
    "answered_late",
    "answered_unknown_time",
    "answered_elsewhere",
    "waiting",
    "ignored",
)
STATE_LABELS = {
    "answered_in_target": "Answered within target",
    "answered_late": "Answered late",
    "answered_unknown_time": "Answered, time unknown",
    "answered_elsewhere": "Answered on another channel",
    "waiting": "Waiting",
    "ignored": "Ignored",
    "no_reply_needed": "No reply needed",
}
IDENTITY_KINDS = ("id", "email", "phone", "handle")
SENTIMENTS = ("negative", "neutral", "positive")
GRAINS = ("day", "week", "month", "quarter")
UNKNOWN = "unknown"
NOBODY = "nobody"

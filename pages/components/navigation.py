"""The pages, in the order of the navigation: file name, title, and the question that each answers."""

from __future__ import annotations

PAGES = {
    "overview": ("Overview", "What changed, and what needs me today?"),
    "response_times": ("Response times", "How long do customers wait, silence included?"),
    "ignored_complaints": ("Ignored complaints", "Whom did we ignore, where, and who saw it?"),
    "channel_mix": ("Channel mix by age", "Where do which customers talk?"),
    "sentiment_trends": ("Sentiment trends", "Is it getting better, and what is it about?"),
    "joined_up": ("Joined-up service", "Where does the front door fail?"),
    "conversations": ("Conversations", "Which conversations are these?"),
    "data": ("Data", "Can I trust this?"),
}

"""Put an issue into words as people do on each channel: length, tone, typing errors, emoji."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, cast

from data_access.demo.channels import PUBLIC_CHANNELS
from data_access.demo.model import Customer, Intent, Issue

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TOPIC_WEIGHTS = {
    "broadband_down": 18, "slow_speed": 11, "billing": 20, "engineer": 10, "mobile_signal": 9, "router": 9,
    "cancel": 8,    "delivery": 9, "login": 6,
}  # fmt: skip
TWEET_LENGTH, SMS_LENGTH = 280, 160
TERSE = ("chat", "whatsapp", "sms", "twitter")
TYPO_SHARE = {"chat": 0.16, "whatsapp": 0.14, "sms": 0.12, "twitter": 0.12, "facebook": 0.08, "email": 0.04}


@cache
def _book() -> dict[str, Any]:
    return tomllib.loads(files("data_access.demo").joinpath("texts.toml").read_text(encoding="utf-8"))


def phrases(section: str, name: str = "text") -> list[str]:
    """Phrases of a section of texts.toml."""
    return cast("list[str]", _book()[section][name])


def names(kind: str) -> list[str]:
    """Invented names: `first`, `last` or `place`."""
    return phrases("names", kind)


def make_issue(rng: random.Random, customer: Customer, topic: str, intent: Intent) -> Issue:
    """Make one matter of a customer, with the facts that every telling of it shares."""
    facts = {
        "days": str(rng.randint(2, 19)),
        "weekday": rng.choice(WEEKDAYS),
        "amount": f"{rng.randint(6, 140)}.{rng.choice(('00', '50', '99', '20', '45'))}",
        "place": rng.choice(names("place")),
        "order": f"LK{rng.randint(10_000, 99_999)}",
        "hold": str(rng.choice((20, 25, 30, 35, 40, 45, 50, 55, 60, 75, 90))),
        "speed": str(rng.randint(1, 9)),
        "years": str(rng.randint(2, 15)),
        "first": customer.first,
        "surname": customer.last,
        "agent": rng.choice(("Sami", "Tess", "Alan", "Bina", "Cleo", "Fay", "Gus")),
    }
    return Issue(topic, intent, facts, rng.randrange(60))


def draw_topic(rng: random.Random, channel: str) -> str:
    """Draw what a contact is about; in public some complain about the phone queue at any time."""
    if channel in ("twitter", "facebook") and rng.random() < 0.05:
        return "phone_queue"
    return rng.choices(list(TOPIC_WEIGHTS), list(TOPIC_WEIGHTS.values()))[0]


@dataclass(frozen=True, slots=True)
class Wording:
    """Writes texts with one random source."""

    rng: random.Random

    def pick(self, section: str, name: str, issue: Issue) -> str:
        """One phrase of a section with the facts of the issue filled in."""
        return _fill(self.rng.choice(phrases(section, name)), issue)

    def opening(self, issue: Issue, channel: str, *, failed_channel: str = "", again: str = "") -> str:
        """First text of a conversation.

        `failed_channel` names the private channel that failed before; `again` (answered, unanswered) makes
        it a second telling on another private channel.
        """
        if issue.intent == "odd":
            return self.rng.choice(phrases("odd"))
        if issue.intent == "praise":
            body = self.pick("praise", "text", issue)
            emoji = self.rng.choice(phrases("phrases", "happy_emoji"))
            if channel in ("twitter", "whatsapp", "facebook"):
                body = f"{body} {emoji}"
            return _addressed(body, channel)
        lead = ""
        if failed_channel:
            lead = self.pick("back_door", failed_channel, issue)
        elif again:
            lead = self.pick("again", again, issue)
        tell = self._question if issue.intent == "question" else self._complaint
        text = tell(issue, channel, [lead] if lead else [])
        return self._typed(_addressed(text, channel), channel)

    def split_opening(self, text: str) -> tuple[str, str]:
        """Cut a text in two messages, as people do who chat; the second is empty where it cannot be cut."""
        for mark in ("? ", ". ", ", "):
            head, found, tail = text.partition(mark)
            if found and len(head) > 12 and len(tail) > 12:
                return head + mark.rstrip(), tail
        return text, ""

    def reply(self, issue: Issue, channel: str, agent: str, *, is_first: bool) -> str:
        """Answer of an agent."""
        name = agent.split(maxsplit=1)[0]
        body = self._answer(issue, channel) if is_first else self.fresh("agent", "further", issue)
        parts = [body]
        if is_first and issue.intent != "praise":
            tone = "sorry" if issue.intent == "complaint" else "opening"
            parts.insert(0, _fill(self.rng.choice(phrases("agent", tone)), issue, agent=name))
        if issue.intent != "praise" and self.rng.random() < 0.3:
            parts.append(self.pick("agent", "closing", issue))
        if channel == "email":
            return "\n\n".join([*parts, f"{agent}\nLarkfield customer service"])
        text = " ".join(parts)
        initials = "".join(part[0] for part in agent.split())
        return f"{text} ^{initials}" if channel in PUBLIC_CHANNELS else text

    def fresh(self, section: str, name: str, issue: Issue) -> str:
        """One phrase that this issue has not heard yet, while there is one."""
        return _fill(self._untold(phrases(section, name), issue), issue)

    def _answer(self, issue: Issue, channel: str) -> str:
        if issue.intent == "praise":
            return self.pick("agent", "kind", issue)
        topic = _book()["topics"][issue.topic]
        if issue.intent == "question":
            return _fill(topic["questions"][issue.matter % len(topic["questions"])][1], issue)
        if issue.intent == "odd" or self.rng.random() < 0.2:
            return self.pick("agent", "public_ask" if channel in PUBLIC_CHANNELS else "ask", issue)
        return _fill(self.rng.choice(topic["answer"]), issue)

    def _untold(self, options: list[str], issue: Issue) -> str:
        chosen = self.rng.choice([option for option in options if option not in issue.told] or options)
        issue.told.add(chosen)
        return chosen

    def _statement(self, issue: Issue, kind: str) -> str:
        """One telling of the matter, in fresh words; a question is asked as it was."""
        topic = _book()["topics"][issue.topic]
        if kind == "question":
            return _fill(topic["questions"][issue.matter % len(topic["questions"])][0], issue)
        return _fill(self._untold(topic["matters"][issue.matter % len(topic["matters"])][kind], issue), issue)

    def _maybe(self, share: float, name: str, issue: Issue) -> list[str]:
        return [self.pick("phrases", name, issue)] if self.rng.random() < share else []

    def _letter(self, issue: Issue, sentences: list[str]) -> str:
        customer_name = f"{issue.facts['first']} {issue.facts['surname']}"
        sign = self.pick("phrases", "signoff", issue)
        return f"{self.pick('phrases', 'greeting', issue)}\n\n{' '.join(sentences)}\n\n{sign}\n{customer_name}"

    def _question(self, issue: Issue, channel: str, lead: list[str]) -> str:
        parts = [*lead, self._statement(issue, "question")]
        if channel == "email":
            parts = [
                *self._maybe(0.6, "context", issue),
                *parts,
                *self._maybe(0.5, "context_question", issue),
            ]
            return self._letter(issue, parts)
        if channel == "phone":
            return " ".join([self.pick("phrases", "spoken_question", issue), *parts])
        if channel == "web_form":
            return " ".join([*self._maybe(0.5, "context", issue), *parts])
        return " ".join([*parts, *self._maybe(0.25, "context_question", issue)])

    def _complaint(self, issue: Issue, channel: str, lead: list[str]) -> str:
        is_short = channel in TERSE and self.rng.random() < 0.6
        parts = [*lead]
        body = self._statement(issue, "short" if is_short else "complaint")
        match channel:
            case "email":
                parts += [*self._maybe(0.5, "context", issue), body]
                parts += [*self._maybe(0.6, "consequence", issue), *self._maybe(0.8, "demand", issue)]
                return self._letter(issue, parts)
            case "web_form":
                parts += [*self._maybe(0.3, "context", issue), body]
                parts += [*self._maybe(0.4, "consequence", issue), *self._maybe(0.6, "demand", issue)]
            case "phone":
                parts = [
                    self.pick("phrases", "spoken", issue),
                    *lead,
                    body,
                    *self._maybe(0.5, "consequence", issue),
                ]
                parts += self._maybe(0.4, "demand", issue)
            case "review":
                head = self.pick("phrases", "headline", issue)
                parts = [f"{head}.", *lead, body, *self._maybe(0.7, "consequence", issue)]
                parts += self._maybe(0.6, "verdict", issue)
            case "twitter" | "facebook":
                parts += [body, *self._maybe(0.5, "outrage", issue), *self._maybe(0.25, "demand", issue)]
                parts += self._maybe(0.3, "angry_emoji", issue)
                if channel == "twitter":
                    parts += self._maybe(0.3, "hashtag", issue)
            case _:
                parts += [body, *self._maybe(0.3, "demand", issue), *self._maybe(0.12, "angry_emoji", issue)]
        return " ".join(parts)

    def _typed(self, text: str, channel: str) -> str:
        """What the thumbs made of it: without capitals, with a slip, cut to the channel's length."""
        if channel in TERSE and self.rng.random() < 0.12 and "@" not in text:
            text = text.lower()
        if self.rng.random() < TYPO_SHARE.get(channel, 0.0):
            text = self._slip(text)
        if channel == "twitter":
            return text[:TWEET_LENGTH]
        return text[:SMS_LENGTH] if channel == "sms" else text

    def _slip(self, text: str) -> str:
        words = text.split(" ")
        places = [place for place, word in enumerate(words) if len(word) > 4 and word.isalpha() and word.islower()]
        if not places:
            return text
        place = self.rng.choice(places)
        word = words[place]
        cut = self.rng.randrange(1, len(word) - 2)
        if self.rng.random() < 0.5:
            words[place] = word[:cut] + word[cut + 1] + word[cut] + word[cut + 2 :]
        else:
            words[place] = word[:cut] + word[cut + 1 :]
        return " ".join(words)


def _fill(text: str, issue: Issue, **more: str) -> str:
    """Fill the slots by plain replacement; texts may hold braces of their own."""
    if "{" not in text:
        return text
    for slot, value in {**issue.facts, **more}.items():
        text = text.replace("{" + slot + "}", value)
    return text


def _addressed(text: str, channel: str) -> str:
    return f"@LarkfieldHelp {text}" if channel == "twitter" else text

"""Play out one conversation: who writes or calls, who answers and when, what is left unsaid."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Literal

from data_access.demo.channels import (
    AGENTS,
    BEHAVIOURS,
    MOVED_AGENT,
    MOVED_TO,
    PHONE_QUEUES,
    TARGET_MINUTES,
    Behaviour,
)
from data_access.demo.clock import ZONE, after_staffed
from data_access.demo.model import Call, Conversation, Customer, Event, Issue
from data_access.demo.stories import BOT_SHARE, StoryPlan
from data_access.demo.texts import Wording

PRAISE_UNANSWERED_SHARE = 0.6
LONG_TAIL_SHARE, LONG_TAIL_FACTOR = 0.03, 6.0
MOST_TURNS = 6


@dataclass(frozen=True, slots=True)
class Lead:
    """What a contact refers to: a private channel that failed, or an earlier telling, answered or not."""

    failed_channel: str = ""
    again: str = ""


NO_LEAD = Lead()


class Stage:
    """Builds conversations one after another; nothing after the horizon has happened yet."""

    def __init__(self, rng: random.Random, plan: StoryPlan, middle: datetime, horizon: datetime) -> None:
        self.rng = rng
        self.plan = plan
        self.middle = middle
        self.horizon = horizon
        self.wording = Wording(rng)
        self._serial = count(1)

    def contact(
        self,
        customer: Customer,
        issue: Issue,
        channel: str,
        at: datetime,
        *,
        lead: Lead = NO_LEAD,
        story: str = "",
    ) -> Conversation:
        """Play a conversation that the customer opens."""
        conversation = self._open(customer, issue, channel, at, story)
        conversation.blames = lead.failed_channel
        if issue.topic == "phone_queue" and issue.intent == "complaint":
            conversation.blames = "phone"
        if channel == "phone":
            self._play_call(conversation, lead)
        else:
            self._play_thread(conversation, lead)
        return conversation

    def outreach(self, customer: Customer, issue: Issue, channel: str, at: datetime) -> Conversation:
        """Play a conversation that the company opens."""
        conversation = self._open(customer, issue, channel, at, "")
        conversation.is_outreach = True
        agent = self._agent(conversation.team, at)
        if channel == "phone":
            is_answered = self.rng.random() < 0.7
            talk = round(self.rng.lognormvariate(5.2, 0.5)) if is_answered else 0
            conversation.call = Call("Outbound", agent, self.rng.randint(5, 30), is_answered, talk, "")
            return conversation
        text = self.wording.pick("agent", "outreach", issue)
        events = [Event("", at, "outbound", "agent", agent, text)]
        if self.rng.random() < 0.2:
            back_at = at + timedelta(seconds=self.rng.randint(300, 54_000))
            answer = self.wording.pick("agent", "outreach_reply", issue)
            events.append(Event("", back_at, "inbound", "customer", "", answer, asks=False))
            if self.rng.random() < 0.7:
                events.append(self._answer(conversation, back_at, self._delay(conversation), is_first=False))
        self._finish(conversation, events)
        return conversation

    def _open(self, customer: Customer, issue: Issue, channel: str, at: datetime, story: str) -> Conversation:
        is_public = channel in ("twitter", "facebook", "review")
        is_identified = customer.is_listed and (customer.is_public_linked or not is_public)
        shows_source_id = is_identified if channel == "review" else True
        if channel == "email" and customer.is_listed:
            shows_source_id = self.rng.random() >= 0.08
        return Conversation(
            conversation_id=f"{channel.replace('_', '')}-{next(self._serial):06d}",
            channel=channel,
            customer=customer,
            issue=issue,
            team=customer.phone_team if channel == "phone" else BEHAVIOURS[channel].team,
            opened_at=at,
            opened_on=at.astimezone(ZONE).date(),
            is_identified=is_identified,
            shows_source_id=shows_source_id,
            story=story,
        )

    def _play_call(self, conversation: Conversation, lead: Lead) -> None:
        rng, day = self.rng, conversation.opened_on
        is_outage = day in self.plan.outage_days
        wait = self.plan.wait_seconds(day) * rng.lognormvariate(0, 0.5 if is_outage else 1.3)
        patience = (600 if is_outage else 240) * rng.lognormvariate(0, 0.8)
        if rng.random() < 0.012:
            patience = rng.uniform(4, 18)
        is_answered = wait <= patience
        queue = PHONE_QUEUES.get(conversation.issue.topic, "General")
        seconds = max(1, round(min(wait, patience)))
        if not is_answered:
            conversation.call = Call(queue, "", seconds, False, 0, "")
            return
        text = self.wording.opening(conversation.issue, "phone", failed_channel=lead.failed_channel, again=lead.again)
        talk = round(330 * rng.lognormvariate(0, 0.6))
        agent = self._agent(conversation.team, conversation.opened_at)
        conversation.call = Call(queue, agent, seconds, True, talk, text)

    def _play_thread(self, conversation: Conversation, lead: Lead) -> None:
        rng, issue, channel, at = self.rng, conversation.issue, conversation.channel, conversation.opened_at
        text = self.wording.opening(issue, channel, failed_channel=lead.failed_channel, again=lead.again)
        first, second = text, ""
        is_chatty = channel in ("chat", "whatsapp") and issue.intent in ("complaint", "question")
        if is_chatty and lead == NO_LEAD and rng.random() < 0.3:
            first, second = self.wording.split_opening(text)
        events = [Event("", at, "inbound", "customer", "", first, asks=issue.intent != "praise")]
        events += self._automatic(conversation)
        if second:
            later = at + timedelta(seconds=rng.randint(4, 45))
            events.append(Event("", later, "inbound", "customer", "", second))
        if rng.random() < self._unanswered_share(conversation):
            if issue.intent in ("complaint", "question") and rng.random() < 0.35:
                wait = TARGET_MINUTES[channel] * rng.uniform(1.5, 8)
                events.append(self._chaser(issue, at + timedelta(seconds=round(60 * max(3.0, wait)))))
            self._finish(conversation, events)
            return
        delay = self._delay(conversation)
        begin = events[-1].at if second else at
        answer = self._answer(conversation, begin, delay, is_first=True)
        waited = (answer.at - at).total_seconds()
        if issue.intent != "praise" and waited > 240 * TARGET_MINUTES[channel] and rng.random() < 0.25:
            events.append(self._chaser(issue, at + timedelta(seconds=round(waited * rng.uniform(0.5, 0.95)))))
        if channel in ("email", "web_form", "whatsapp") and rng.random() < 0.16 and waited > 600:
            note_at = answer.at - timedelta(seconds=rng.randint(30, 500))
            note = self.wording.pick("agent", "note", issue)
            events.append(Event("", note_at, "outbound", "agent", answer.agent, note, is_internal=True))
        events.append(answer)
        if issue.intent != "praise":
            events += self._rounds(conversation, BEHAVIOURS[channel], answer)
        self._finish(conversation, events)

    def _rounds(self, conversation: Conversation, usual: Behaviour, first: Event) -> list[Event]:
        """What follows the first answer: further turns, some left hanging, and perhaps a thank-you."""
        rng, issue, events, at = self.rng, conversation.issue, list[Event](), first.at
        slowness = {"email": 240.0, "web_form": 240.0, "twitter": 40.0, "facebook": 60.0, "review": 900.0}
        gap_minutes = slowness.get(conversation.channel, 3.0)
        name = "complaint" if issue.intent == "complaint" else "question"
        for _ in range(MOST_TURNS):
            if rng.random() >= usual.more_turns:
                break
            at += timedelta(seconds=round(15 + 60 * gap_minutes * rng.lognormvariate(0, 0.8)))
            kind = name if rng.random() < 0.5 else "question"
            events.append(Event("", at, "inbound", "customer", "", self.wording.fresh("follow_up", kind, issue)))
            if rng.random() < 0.05:
                return events
            delay = 0.6 * usual.median_minutes * 60 * rng.lognormvariate(0, usual.sigma)
            answer = self._answer(conversation, at, delay, is_first=False, before=first)
            events.append(answer)
            at = answer.at
        if rng.random() < usual.thanks_share:
            at += timedelta(seconds=round(20 + 40 * gap_minutes * rng.lognormvariate(0, 0.8)))
            thanks = self.wording.pick("thanks", "text", issue)
            events.append(Event("", at, "inbound", "customer", "", thanks, asks=False))
        return events

    def _automatic(self, conversation: Conversation) -> list[Event]:
        """The chat bot at once (planted), or an acknowledgement of a form or mail after some seconds."""
        share = {"web_form": 0.7, "email": 0.3}.get(conversation.channel, 0.0)
        at, author_kind, section = conversation.opened_at, "system", "acknowledgement"
        if conversation.channel == "chat" and self.plan.has_bot:
            share, author_kind, section = BOT_SHARE, "bot", "bot"
        else:
            at += timedelta(seconds=self.rng.randint(5, 60))
        if self.rng.random() >= share:
            return []
        text = self.wording.pick(section, "text", conversation.issue)
        kind: Literal["bot", "system"] = "bot" if author_kind == "bot" else "system"
        return [Event("", at, "outbound", kind, "Lark" if kind == "bot" else "", text)]

    def _unanswered_share(self, conversation: Conversation) -> float:
        if conversation.story == "dst_night":
            return 0.0
        if conversation.issue.intent == "praise" and conversation.channel != "review":
            return PRAISE_UNANSWERED_SHARE
        band = conversation.customer.band_on(conversation.opened_on)
        usual = BEHAVIOURS[conversation.channel].unanswered_share
        return self.plan.unanswered_share(conversation.channel, conversation.opened_on, band, usual)

    def _delay(self, conversation: Conversation) -> float:
        """Staffed seconds to the first answer."""
        usual = BEHAVIOURS[conversation.channel]
        median = self.plan.median_minutes(conversation.channel, conversation.opened_on, usual.median_minutes)
        delay = 60 * median * self.rng.lognormvariate(0, usual.sigma)
        return max(20.0, delay * (LONG_TAIL_FACTOR if self.rng.random() < LONG_TAIL_SHARE else 1.0))

    def _answer(
        self,
        conversation: Conversation,
        begin: datetime,
        delay: float,
        *,
        is_first: bool,
        before: Event | None = None,
    ) -> Event:
        """A human answer after so many staffed seconds, often by who answered before in the same hours.

        A night crew covers the night of the clock change.
        """
        if conversation.story == "dst_night":
            at = begin + timedelta(seconds=self.rng.randint(60, 2400 if is_first else 300))
        else:
            at = after_staffed(conversation.team, begin, max(5.0, delay))
        agent = self._agent(conversation.team, at)
        if before is not None and at - before.at < timedelta(hours=2) and self.rng.random() < 0.7:
            agent = before.agent
        text = self.wording.reply(conversation.issue, conversation.channel, agent, is_first=is_first)
        return Event("", at, "outbound", "agent", agent, text)

    def _chaser(self, issue: Issue, at: datetime) -> Event:
        return Event("", at, "inbound", "customer", "", self.wording.fresh("follow_up", "chaser", issue))

    def _agent(self, team: str, at: datetime) -> str:
        """Someone of the early or the late shift."""
        roster = list(AGENTS[team])
        if at >= self.middle:
            roster = [name for name in roster if name != MOVED_AGENT] + [MOVED_AGENT] * (team == MOVED_TO)
        is_late = at.astimezone(ZONE).hour >= 14
        return self.rng.choice(roster[is_late::2])

    def _finish(self, conversation: Conversation, events: list[Event]) -> None:
        """Put the events in order, cut at the horizon, number them and say what each replies to."""
        happened = [event for event in sorted(events, key=lambda event: event.at) if event.at < self.horizon]
        latest = {"inbound": "", "outbound": ""}
        for number, event in enumerate(happened, start=1):
            event_id = f"{conversation.conversation_id}-{number}"
            other = "outbound" if event.direction == "inbound" else "inbound"
            happened[number - 1] = replace(event, event_id=event_id, reply_to=latest[other])
            if not event.is_internal:
                latest[event.direction] = event_id
        conversation.events = happened

"""Decisions by hand on who is who, and the reasons of every join: `frontdoor identities`.

A decision is kept in the store and outlives reloads and rebuilds. The newest wins: a merge withdraws the splits
that hold the two apart, a split withdraws the merges across it; then it is kept only where the evidence alone
does not give the same. So a merge takes a split back, and leaves nothing behind.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from data_access import customers as settling
from data_access import derive
from data_access.config import IdentityRules
from data_access.errors import FrontdoorError
from data_access.identities import (
    CONVERSATION_KIND,
    REASONS,
    Decision,
    Identity,
    identity_rank,
    split_identity,
)
from data_access.loader import derive_changed
from data_access.progress import say_nothing
from data_access.schema import (
    conversations,
    customer_identities,
    customers,
    identity_decisions,
    interactions,
    stated_identities,
)
from data_access.store import open_reader, open_writer, settings_in_force


@dataclasses.dataclass(frozen=True)
class Decided:
    """What a decision did: the customers that there are now, earlier decisions withdrawn, and whether it is kept."""

    customers: tuple[str, ...]
    withdrawn: tuple[int, ...]
    number: int | None


@dataclasses.dataclass(frozen=True)
class Link:
    """One identity of a customer: where it comes from, and what joins it to the rest.

    `beside` is the identity through which it hangs together with the strongest; `reason` says why it joins
    nobody.
    """

    identity: Identity
    sources: tuple[str, ...]
    conversation_count: int
    beside: Identity | None
    stated_by: str
    reason: str | None


@dataclasses.dataclass(frozen=True)
class Explanation:
    """A customer, the identities with the reason of each join, and the decisions that touch them."""

    customer_id: str
    conversation_count: int
    links: tuple[Link, ...]
    decisions: tuple[Decision, ...]


def explain(url: str, who: str) -> list[Explanation]:
    """Why the customer is one person; several, where an identity is given that joins nobody.

    `who` is a customer id or `kind=value`. Raises FrontdoorError where nobody is found.
    """
    engine = open_reader(url)
    try:
        with engine.connect() as connection:
            rules = settings_in_force(connection).identity
            return [_explained(connection, customer) for customer in find_customers(connection, who, rules)]
    finally:
        engine.dispose()


def split(url: str, who: str, given: Sequence[str]) -> Decided:
    """Make identities of a customer another person, who stays apart whatever is loaded later."""

    def decide(connection: Connection, rules: IdentityRules) -> _Plan:
        customer = _one_customer(connection, who, rules)
        mine = _owned(connection, customer)
        other = frozenset(_identity(text, rules) for text in given)
        missing = sorted(other - mine, key=identity_rank)
        if missing:
            raise FrontdoorError(
                f"customer {customer} has no {'='.join(missing[0])} that joins; "
                f"frontdoor identities explain {customer} lists what it has"
            )
        rest = mine - other
        if not rest:
            raise FrontdoorError(f"customer {customer} has nothing else: name some of its identities, not all")
        across = [
            one
            for one in settling.decisions(connection)
            if one.verdict == "merge" and any(one.sides[a] <= rest and one.sides[1 - a] <= other for a in (0, 1))
        ]
        return _Plan("split", [rest, other], across)

    return _decide(url, decide)


def merge(url: str, one: str, other: str) -> Decided:
    """Make two customers one person, who stays one whatever is loaded later.

    Named are all ids of both: an address that holds two of them together lets go of them once the person has two
    ids of another source.
    """

    def decide(connection: Connection, rules: IdentityRules) -> _Plan:
        found = [_one_customer(connection, who, rules) for who in (one, other)]
        if found[0] == found[1]:
            raise FrontdoorError(f"{one} and {other} are one customer already: {found[0]}")
        mine = [_owned(connection, customer) or _conversations_of(connection, customer) for customer in found]
        between = [
            decision
            for decision in settling.decisions(connection)
            if decision.verdict == "split"
            and any(mine[a] & decision.sides[0] and mine[1 - a] & decision.sides[1] for a in (0, 1))
        ]
        # Where a split is taken back, those whom it held apart are meant, not who came to one of them since.
        held_apart = frozenset().union(*(side for decision in between for side in decision.sides))
        if between:
            return _Plan("merge", [frozenset({_strongest(side & held_apart or side)}) for side in mine], between)
        sides = [frozenset(one for one in side if one[0].startswith("id:")) or {_strongest(side)} for side in mine]
        whole = frozenset().union(*(_conversations_of(connection, customer) for customer in found))
        return _Plan("merge", [frozenset(side) for side in sides], between, whole)

    return _decide(url, decide)


def find_customers(connection: Connection, who: str, rules: IdentityRules) -> list[str]:
    """Customers whom an id or `kind=value` names, in order. Raises FrontdoorError where there is none."""
    if "=" not in who:
        if connection.scalar(select(customers.c.customer_id).where(customers.c.customer_id == who)) is None:
            raise FrontdoorError(
                f"there is no customer {who!r}; name one by id, or as kind=value such as email=a@b.example"
            )
        return [who]
    kind, value = _identity(who, rules)
    c = customer_identities.c
    found = list(
        connection.scalars(
            select(c.customer_id).where(c.identity_kind == kind, c.identity_value == value).order_by(c.customer_id)
        )
    )
    if not found:
        raise FrontdoorError(f"nobody in the store has {kind}={value}")
    return found


def _one_customer(connection: Connection, who: str, rules: IdentityRules) -> str:
    found = find_customers(connection, who, rules)
    if len(found) > 1:
        raise FrontdoorError(
            f"{who} joins nobody and was shown by {len(found)} customers; name one of them by its id: "
            f"{', '.join(found[:5])}{' …' if len(found) > 5 else ''}"
        )
    return found[0]


def _identity(text: str, rules: IdentityRules) -> Identity:
    kind = text.partition("=")[0]
    if "=" not in text or not (kind in ("email", "phone") or kind.startswith(("id:", "handle:"))):
        raise FrontdoorError(f"{text!r} is none of email=…, phone=…, handle:<channel>=…, id:<source>=…")
    identity = split_identity(text, rules.phone_region)
    if identity is None:
        raise FrontdoorError(f"{text!r} has no value to look for")
    return identity


def _owned(connection: Connection, customer: str) -> frozenset[Identity]:
    """Identities that join the customer's conversations; for one merged by hand also conversations."""
    s = stated_identities.c
    c = customer_identities.c
    joining = select(c.identity_kind, c.identity_value).where(
        c.customer_id == customer,
        or_(c.reason.is_(None), c.identity_kind.like("id:%")),
        c.reason.is_distinct_from("kind"),
    )
    named = select(s.identity_kind, s.identity_value).where(
        s.customer_id == customer, s.identity_kind == CONVERSATION_KIND
    )
    return frozenset((kind, value) for rows in (joining, named) for kind, value in connection.execute(rows))


def _conversations_of(connection: Connection, customer: str) -> frozenset[Identity]:
    """Their conversations; where nobody knows the writer, the conversation itself says who it is."""
    i = interactions.c
    found = connection.scalars(select(i.conversation_id).where(i.customer_id == customer).distinct())
    return frozenset((CONVERSATION_KIND, conversation) for conversation in found)


def _strongest(side: Iterable[Identity]) -> Identity:
    return min(side, key=identity_rank)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What shall be decided, the earlier decisions against it, and the conversations that must be one customer's."""

    verdict: str
    sides: Sequence[frozenset[Identity]]
    against: Sequence[Decision]
    whole: frozenset[Identity] = frozenset()


def _decide(url: str, plan: Callable[[Connection, IdentityRules], _Plan]) -> Decided:
    open_reader(url).dispose()  # an absent store is an error, not a new one
    with open_writer(url) as connection:
        settings = settings_in_force(connection)  # what changed in the file waits for a load
        rules = settings.identity
        derive.begin_touched(connection)
        planned = plan(connection, rules)
        sides, against = planned.sides, planned.against
        concerned = {identity for side in (*sides, *(s for one in against for s in one.sides)) for identity in side}
        if against:
            numbers = [one.number for one in against]
            connection.execute(delete(identity_decisions).where(identity_decisions.c.decision.in_(numbers)))
            settling.settle_near(connection, concerned, rules)
        number = None
        if not _is_so(connection, planned):
            number = _keep(connection, planned.verdict, sides)
            settling.settle_near(connection, concerned, rules)
        if not _is_so(connection, planned):
            what = f"the {planned.verdict} has no effect"
            raise FrontdoorError(f"{what}: what joins or parts them is stated otherwise; nothing was changed")
        now = tuple(sorted({customer for side in sides for customer in _customers_of(connection, side)}))
        derive_changed(connection, settings, say_nothing)
        return Decided(now, tuple(one.number for one in against), number)


def _customers_of(connection: Connection, side: Iterable[Identity]) -> set[str]:
    found: set[str] = set()
    c, i = customer_identities.c, interactions.c
    for kind, value in side:
        if kind == CONVERSATION_KIND:
            found.update(connection.scalars(select(i.customer_id).where(i.conversation_id == value).distinct()))
        else:
            found.update(
                connection.scalars(select(c.customer_id).where(c.identity_kind == kind, c.identity_value == value))
            )
    return found


def _is_so(connection: Connection, planned: _Plan) -> bool:
    of = [_customers_of(connection, side) for side in planned.sides]
    if planned.verdict == "merge":
        together = of[0] | of[1]
        return len(together) == 1 and planned.whole <= _conversations_of(connection, min(together))
    return of[0].isdisjoint(of[1]) and len(of[1]) == 1


def _keep(connection: Connection, verdict: str, sides: Sequence[frozenset[Identity]]) -> int:
    d = identity_decisions.c
    number = int(connection.scalar(select(func.max(d.decision))) or 0) + 1
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    rows = [
        {
            "decision": number,
            "side": side,
            "identity_kind": kind,
            "identity_value": value,
            "verdict": verdict,
            "decided_at": now,
        }
        for side, identities in enumerate(sides)
        for kind, value in sorted(identities)
    ]
    connection.execute(insert(identity_decisions), rows)
    return number


def _explained(connection: Connection, customer: str) -> Explanation:
    s, c, v = stated_identities.c, customer_identities.c, conversations.c
    known = connection.execute(
        select(c.identity_kind, c.identity_value, c.origin, c.reason).where(c.customer_id == customer)
    ).all()
    reasons = {(row.identity_kind, row.identity_value): row.reason for row in known}
    stated: defaultdict[str, set[Identity]] = defaultdict(set)
    names: dict[str, str] = {}
    sources = {(row.identity_kind, row.identity_value): {row.origin} for row in known}
    count: defaultdict[Identity, int] = defaultdict(int)
    own: set[Identity] = set()
    rows = connection.execute(
        select(
            s.statement_id,
            s.identity_kind,
            s.identity_value,
            s.source,
            s.is_listed,
            s.is_own,
            v.external_id,
            v.channel,
        )
        .outerjoin(conversations, and_(v.conversation_id == s.statement_id, v.customer_id == s.customer_id))
        .where(s.customer_id == customer)
        .order_by(s.statement_id)
    )
    for row in rows:
        identity = (row.identity_kind, row.identity_value)
        if identity not in reasons:
            continue
        stated[row.statement_id].add(identity)
        sources[identity].add(row.source)
        count[identity] += not row.is_listed
        if row.is_own:
            own.add(identity)
        names[row.statement_id] = (
            f"the customers file {row.source}"
            if row.is_listed
            else f"conversation {row.external_id or row.statement_id} ({row.channel or 'no channel'}, {row.source})"
        )
    decided = tuple(
        one
        for one in settling.decisions(connection)
        if one.verdict != "apart" and any(side & reasons.keys() for side in one.sides)
    )
    beside = _chain(reasons, own, stated, names, [one for one in decided if one.verdict == "merge"])
    place = {identity: number for number, identity in enumerate(beside)}
    links = tuple(
        Link(
            identity,
            tuple(sorted(sources[identity])),
            count[identity],
            *beside.get(identity, (None, "")),
            reason=reasons[identity],
        )
        for identity in sorted(reasons, key=lambda one: (place.get(one, len(place)), identity_rank(one)))
    )
    total = connection.scalar(select(func.count()).where(v.customer_id == customer))
    return Explanation(customer, int(total or 0), links, decided)


def _chain(
    reasons: dict[Identity, str | None],
    own: set[Identity],
    stated: dict[str, set[Identity]],
    names: dict[str, str],
    merges: Sequence[Decision],
) -> dict[Identity, tuple[Identity | None, str]]:
    """From the strongest identity outward, the nearest first: what stands beside what, and where."""
    joining = [one for one, reason in reasons.items() if reason is None]
    joining.sort(key=lambda one: (one not in own, *identity_rank(one)))
    showing: defaultdict[Identity, list[str]] = defaultdict(list)
    for statement, identities in sorted(stated.items()):
        for identity in identities:
            showing[identity].append(statement)
    found: dict[Identity, tuple[Identity | None, str]] = {}
    for start in joining:
        if start in found:
            continue
        found[start] = (None, "")
        waiting = deque([start])
        while waiting:
            known = waiting.popleft()
            steps = [
                (other, names[place]) for place in showing[known] for other in sorted(stated[place], key=identity_rank)
            ]
            for one in merges:
                for side in (0, 1):
                    if known in one.sides[side]:
                        steps += [(other, f"decision {one.number} by hand") for other in sorted(one.sides[1 - side])]
            for other, where in steps:
                if other not in found and other in reasons and reasons[other] is None:
                    found[other] = (known, where)
                    waiting.append(other)
    return found


def reason_in_words(reason: str) -> str:
    """Why an identity joins nobody."""
    return REASONS[reason]

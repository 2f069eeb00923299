"""Who is who: normalised identities, and which of them are one person's.

`people_of` is a pure function of what conversations and customers files state, of the rules in the settings and
of the decisions made by hand. The order in which files came cannot matter: it is not among its arguments.
"""

from __future__ import annotations

import base64
import dataclasses
import fnmatch
import functools
import hashlib
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from data_access.config import IdentityRules

IDENTITY_PRIORITY = {"id": 0, "email": 1, "phone": 2, "handle": 3, "conversation": 4}
CONVERSATION_KIND = "conversation"
Identity = tuple[str, str]

# Why an identity joins nobody. The first four are known from the identity itself, the others from who shows it.
REASONS = {
    "kind": "identities of this kind do not join (identity.joins)",
    "number": "it is no telephone number with a country code",
    "address": "it is no e-mail address",
    "never": "it fits identity.never_joins",
    "customers": "it would join customers whom one source holds apart",
    "shared": "it stands with more other addresses than identity.shared_after",
    "chain": "it is part of a chain of more addresses than identity.chained_after",
    "decision": "it would join customers held apart by hand",
    "forgotten": "it joined nobody when a customer who showed it, too, was forgotten",
}


def opaque_id(prefix: str, *parts: str) -> str:
    """Twelve characters: a letter and 64 bits of BLAKE2b; the same parts give the same id on every engine."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return prefix + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def opaque_ids(prefix: str, source: str, values: pa.Array) -> pa.Array:
    """`opaque_id(prefix, source, value)` of every value of a column of text without nulls."""
    head = source.encode("utf-8", "surrogatepass") + b"\x1f"
    given = values.cast(pa.binary()).to_pylist()
    # Nine bytes are twelve characters of base64, without a rest: so all are written at once.
    digests = b"\x00".join([hashlib.blake2b(head + value, digest_size=8).digest() for value in given])
    letters = np.frombuffer(base64.urlsafe_b64encode(digests + b"\x00" if given else b""), np.uint8).reshape(-1, 12)
    first = np.full((len(given), 1), ord(prefix), np.uint8)
    return _texts_of_length(np.hstack((first, letters[:, :11])))


def content_hashes(columns: Sequence[pa.Array]) -> pa.Array:
    """Hash of what a source gave, for every row of these columns; null and empty text differ."""
    parts = [_as_python_writes(column) for column in _without_empty_runs(columns)]
    texts = pc.binary_join_element_wise(*parts, "\x1f", null_handling="replace", null_replacement="\x00")
    given = texts.cast(pa.binary()).to_pylist()
    digests = b"".join([hashlib.blake2b(value, digest_size=12).digest() for value in given])
    return _texts_of_length(np.frombuffer(base64.urlsafe_b64encode(digests), np.uint8).reshape(-1, 16))


def _without_empty_runs(columns: Sequence[pa.Array]) -> Iterator[pa.Array | pa.Scalar]:
    """The columns, with one text instead of those without any value that follow each other: what they join to.

    Most of the columns of most sources are such. The first column stays, so that there is one text a row.
    """
    yield columns[0]
    for is_empty, group in itertools.groupby(columns[1:], lambda column: column.null_count == len(column)):
        run = list(group)
        yield from [pa.scalar("\x1f".join(["\x00"] * len(run)))] if is_empty else run


def _texts_of_length(letters: npt.NDArray[np.uint8]) -> pa.Array:
    """A column of text from one row of ASCII letters a value."""
    count, length = letters.shape
    ends = pa.py_buffer(np.arange(0, (count + 1) * length, length, dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), count, [None, ends, pa.py_buffer(np.ascontiguousarray(letters))])


def _as_python_writes(column: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """Values as `str` of Python writes them, which the hashes in stores were made of."""
    if isinstance(column, pa.Scalar):
        return column
    if pa.types.is_boolean(column.type):
        return pc.if_else(column, "True", "False")
    if pa.types.is_timestamp(column.type):
        seconds = pc.cast(column, pa.timestamp("s"), safe=False)
        is_whole = pc.equal(seconds.cast(column.type), column)
        return pc.if_else(is_whole, seconds.cast(pa.string()), column.cast(pa.timestamp("us")).cast(pa.string()))
    if pa.types.is_floating(column.type):
        coded = column.dictionary_encode()
        return pa.array(map(str, coded.dictionary.to_pylist()), pa.string()).take(coded.indices)
    return column.cast(pa.string())


def normalised(kind: str, value: str | None, region: str = "") -> str | None:
    """Comparable form of an identity; None where nothing is left to compare."""
    if value is None:
        return None
    text = value.strip()
    if kind == "email":
        text = text.lower()
        return text if "@" in text else None
    if kind == "phone":
        return international_number(text, region) or text or None
    if kind.startswith("handle:"):
        text = text.lstrip("@").lower()
    return text or None


def is_email_address(text: str) -> bool:
    """One address: with an @, and without what stands between two, or between a kind and its value."""
    return _ADDRESS.fullmatch(text) is not None


_ADDRESS = re.compile(r"[^\s@,;=|<>]+@[^\s@,;=|<>]+")


@functools.lru_cache(maxsize=65536)
def international_number(text: str, region: str = "") -> str | None:
    """E.164 of a telephone number, with its extension; None where it has no country code or no possible length.

    Possible, not valid: ranges come into use faster than any list of them. A number without a country code is
    one of `region`; without a region it could be a number of any country.
    """
    dialled = re.sub(r"^00", "+", text)
    try:
        number = phonenumbers.parse(dialled, region or None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{shown};ext={number.extension}" if number.extension else shown


def split_identity(text: str, region: str = "") -> Identity | None:
    """`kind=value` of a customers file, normalised; None where nothing is left."""
    kind, _, value = text.partition("=")
    clean = normalised(kind, value, region)
    return (kind, clean) if clean else None


def masked(kind: str, value: str) -> str:
    """Enough of an identity to recognise it for those who know it: `i…@x.example`, `+44…23`."""
    if kind == "email":
        name, _, domain = value.rpartition("@")
        return f"{name[:1]}…@{domain}"
    return f"{value[:3]}…{value[-2:]}" if kind == "phone" and len(value) > 7 else f"{value[:1]}…"


def reason_of_itself(kind: str, value: str, rules: IdentityRules) -> str | None:
    """Why the identity can join nobody, whoever shows it (a key of `REASONS`); None where it may join."""
    base = kind.split(":", maxsplit=1)[0]
    if base == CONVERSATION_KIND:
        return None
    if base not in rules.joins:
        return "kind"
    if kind == "phone" and not value.startswith("+"):
        return "number"
    if kind == "email" and not is_email_address(value):
        return "address"
    is_id = base == "id"
    if _one_of(rules.never_joins, of_ids=is_id).match(value.lower() if is_id else value):
        return "never"
    return None


_OF_IDS = "id:"


@functools.lru_cache
def _one_of(patterns: tuple[str, ...], *, of_ids: bool) -> re.Pattern[str]:
    """What fits one of these shell patterns, in lower case; nothing does where there are none.

    Ids only fit patterns that say so: an id is anything, also what would be a shared address elsewhere.
    """
    lower = [pattern.lower() for pattern in patterns]
    meant = [pattern.removeprefix(_OF_IDS) for pattern in lower if pattern.startswith(_OF_IDS) == of_ids]
    return re.compile("|".join(map(fnmatch.translate, meant)) or r"(?!)")


def own_customer(conversation_id: str) -> str:
    """Customer of a conversation whose writer nobody knows."""
    return "a" + conversation_id[1:]


def customer_of(identity: Identity) -> str:
    """Customer named after an identity."""
    kind, value = identity
    return own_customer(value) if kind == CONVERSATION_KIND else opaque_id("c", kind, value)


def customers_of(kind: str, values: pa.Array) -> pa.Array:
    """`customer_of` of many identities of one kind."""
    if kind == CONVERSATION_KIND:
        return pa.array(map(own_customer, values.to_pylist()), pa.string())
    return opaque_ids("c", kind, values)


@dataclasses.dataclass(frozen=True)
class Statement:
    """Identities that are stated to be one person's: by a conversation, or by a line of a customers file.

    `own` is the id that the customers file itself gives; None for a conversation.
    """

    identities: frozenset[Identity]
    own: Identity | None = None


@dataclasses.dataclass(frozen=True)
class Decision:
    """What somebody decided by hand: the identities of the two sides are one person, or are two.

    With the verdict "apart", which forgetting a customer leaves, each identity of side 0 joins nobody.
    """

    number: int
    verdict: str
    sides: tuple[frozenset[Identity], ...]


@dataclasses.dataclass(frozen=True)
class People:
    """The answer: customer of each statement and identity, and why an identity joins nobody.

    A statement has no customer where none of its identities joins: its conversation is known to nobody else.
    """

    of_statement: tuple[str | None, ...]
    of_identity: dict[Identity, str]
    reasons: dict[Identity, str]


def people_of(
    statements: Sequence[Statement],
    present: Collection[Identity],
    decisions: Sequence[Decision],
    rules: IdentityRules,
) -> People:
    """Who is one person. All identities given may join by themselves (see `reason_of_itself`).

    1. Ids come first: a customers file may list several ids, never an id that another of its customers lists.
    2. Decisions by hand.
    3. E-mail, then phone, then handle: an address joins all who show it, or nobody. Nobody, where it stands with
       too many others, or where those who show it are two customers of one source or are held apart by hand.
    4. Where too many addresses hang together only through one another, only direct links to an id count.
    """
    splits: defaultdict[Identity, list[Decision]] = defaultdict(list)
    for decision in decisions:
        if decision.verdict == "split":
            for identity in decision.sides[1]:
                splits[identity].append(decision)
    shown = [_on_one_side(statement, splits) for statement in statements]
    joined = _Joining(shown, present, decisions, rules)
    joined.join_ids()
    joined.join_decided()
    joined.join_addresses()
    return joined.answer()


def identity_rank(identity: Identity) -> tuple[int, str, str]:
    """Sorts identities from the strongest to the weakest."""
    kind, value = identity
    return IDENTITY_PRIORITY[kind.split(":")[0]], kind, value


def _on_one_side(statement: Statement, splits: Mapping[Identity, Sequence[Decision]]) -> Statement:
    """What stands with identities of both sides of a split belongs to the side of the strongest."""
    found = {one.number: one for identity in statement.identities for one in splits.get(identity, ())}
    identities = statement.identities
    for _, decision in sorted(found.items()):
        sides = [identities & side for side in decision.sides]
        if sides[0] and sides[1]:
            strongest = min(sides[0] | sides[1], key=lambda one: (one != statement.own, *identity_rank(one)))
            identities = identities - (sides[1] if strongest in sides[0] else sides[0])
    return dataclasses.replace(statement, identities=identities) if found else statement


class _Joining:
    """Disjoint sets of identities and statements, joined step by step."""

    def __init__(
        self,
        statements: Sequence[Statement],
        present: Collection[Identity],
        decisions: Sequence[Decision],
        rules: IdentityRules,
    ) -> None:
        self.statements, self.decisions, self.rules = statements, decisions, rules
        self.own = {statement.own for statement in statements if statement.own}
        self.present = {*present, *self.own, *(one for s in statements for one in s.identities)}
        apart = {one for decision in decisions if decision.verdict == "apart" for one in decision.sides[0]}
        self.reasons: dict[Identity, str] = dict.fromkeys(apart & self.present, "forgotten")
        self.above: dict[Identity | int, Identity | int] = {}
        self.ids: dict[Identity | int, dict[str, set[str]]] = {}
        self.sides: dict[Identity | int, set[tuple[int, int]]] = defaultdict(set)
        for identity in self.present:
            kind, value = identity
            if kind.startswith("id:"):
                self.ids[identity] = {kind: {value}}
        for decision in decisions:
            if decision.verdict == "split":
                for side, identities in enumerate(decision.sides):
                    for identity in identities:
                        self.sides[identity].add((decision.number, side))

    def join_ids(self) -> None:
        """One person may have several ids where a customers file lists them; each is listed for one person."""
        listed: defaultdict[Identity, list[Identity]] = defaultdict(list)
        for statement in self.statements:
            if statement.own:
                for identity in statement.identities:
                    if identity[0].startswith("id:"):
                        listed[identity].append(statement.own)
        for identity in sorted(listed, key=identity_rank):
            roots = self._roots([identity, *listed[identity]])
            of_files = [self._own_ids(root) for root in roots]
            kinds = [kind for ids in of_files for kind in ids]
            if identity in self.reasons:
                continue
            if len(kinds) != len(set(kinds)):
                self.reasons[identity] = "customers"
            elif self._are_apart(roots):
                self.reasons[identity] = "decision"
            else:
                self._join(roots)

    def join_decided(self) -> None:
        """What was joined by hand is one person, also where a source has two ids for it.

        So is what was split off at once: the second side of a split.
        """
        for decision in sorted(self.decisions, key=lambda one: one.number):
            together = {"merge": decision.sides, "split": decision.sides[1:]}.get(decision.verdict, ())
            roots = self._roots([one for side in together for one in side if one in self.present])
            if roots and not self._are_apart(roots):
                self._join(roots)

    def join_addresses(self) -> None:
        """Each address joins all who show it, or nobody."""
        holders: defaultdict[Identity, list[int]] = defaultdict(list)
        self.writers: list[Identity | int] = []
        for place, statement in enumerate(self.statements):
            writer, addresses = self._writer(place, statement)
            self.writers.append(writer)
            for address in addresses:
                holders[address].append(place)
        before = (
            dict(self.above),
            {k: dict(v) for k, v in self.ids.items()},
            {k: set(v) for k, v in self.sides.items()},
        )
        order = sorted(holders, key=identity_rank)
        for address in order:
            self._join_address(address, holders[address])
        chained = self._chained(holders)
        if chained:
            self.above, self.ids, self.sides = before[0], before[1], defaultdict(set, before[2])
            for address in order:
                if address in chained:
                    self._join_directly(address, holders[address])
                elif address not in self.reasons:
                    self._join(self._roots([address, *(self.writers[place] for place in holders[address])]))

    def _writer(self, place: int, statement: Statement) -> tuple[Identity | int, list[Identity]]:
        """Who stated it (an id, else the statement itself), and which addresses that shows to be theirs.

        A conversation in which two customers of a source write belongs to the strongest; whose the addresses
        are cannot be told.
        """
        addresses = [one for one in statement.identities if not one[0].startswith("id:")]
        if statement.own:
            return statement.own, addresses
        ids = sorted((one for one in statement.identities if one[0].startswith("id:")), key=identity_rank)
        if not ids:
            return place, addresses
        return ids[0], addresses if len(self._roots(ids)) == 1 else []

    def _join_address(self, address: Identity, places: Sequence[int]) -> None:
        if address in self.reasons:
            return
        roots = self._roots([address, *(self.writers[place] for place in places)])
        beside: defaultdict[str, set[str]] = defaultdict(set)
        for place in places:
            if self.writers[place] == place:  # of those with an id we know who is who
                for kind, value in self.statements[place].identities:
                    if (kind, value) != address:
                        beside[kind].add(value)
        if address[0] != CONVERSATION_KIND and any(len(v) > self.rules.shared_after for v in beside.values()):
            self.reasons[address] = "shared"
        elif self._are_two(roots):
            self.reasons[address] = "customers"
        elif self._are_apart(roots):
            self.reasons[address] = "decision"
        else:
            self._join(roots)

    def _join_directly(self, address: Identity, places: Sequence[int]) -> None:
        """In a chain an address joins only those who show it to the one id that shows it, too."""
        with_id = {self._root(self.writers[place]) for place in places if self.writers[place] != place}
        roots = self._roots([address, *(self.writers[place] for place in places)])
        is_alone = all(len(self.statements[place].identities) == 1 for place in places)
        known = [root for root in roots if self.ids.get(root)]
        if (is_alone or len(with_id) == 1) and len(known) < 2:
            self._join(roots)
        else:
            self.reasons[address] = "chain"

    def _chained(self, holders: Mapping[Identity, Sequence[int]]) -> set[Identity]:
        """Addresses of people of whom more addresses than the limit hang together only through one another."""
        indirect: defaultdict[Identity | int, list[Identity]] = defaultdict(list)
        members: defaultdict[Identity | int, list[Identity]] = defaultdict(list)
        for address, places in holders.items():
            if address in self.reasons or address[0] == CONVERSATION_KIND:
                continue
            root = self._root(address)
            members[root].append(address)
            if all(self.writers[place] == place for place in places):
                indirect[root].append(address)
        too_long = [root for root, found in indirect.items() if len(found) > self.rules.chained_after]
        return {address for root in too_long for address in members[root]}

    def answer(self) -> People:
        """Each person is named after the strongest identity: the id of a customers file before all others."""
        names: dict[Identity | int, tuple[tuple[bool, int, str, str], Identity]] = {}
        for identity in self.present:
            if identity in self.reasons and not identity[0].startswith("id:"):
                continue
            root = self._root(identity)
            rank = (identity not in self.own, *identity_rank(identity))
            if root not in names or rank < names[root][0]:
                names[root] = (rank, identity)
        of_root = {root: customer_of(identity) for root, (_, identity) in names.items()}
        return People(
            tuple(of_root.get(self._root(writer)) for writer in self.writers),
            {
                identity: of_root[self._root(identity)]
                for identity in self.present
                if identity not in self.reasons or identity[0].startswith("id:")
            },
            self.reasons,
        )

    def _own_ids(self, root: Identity | int) -> list[str]:
        """Kinds of the customers files that have a customer of their own in the set."""
        of = self.ids.get(root, {})
        return [kind for kind, values in of.items() if any((kind, value) in self.own for value in values)]

    def _are_two(self, roots: Sequence[Identity | int]) -> bool:
        """Some source has an id for two of the sets: as they were not joined by id, these are two customers."""
        kinds = [kind for root in roots for kind in self.ids.get(root, ())]
        return len(kinds) != len(set(kinds))

    def _are_apart(self, roots: Sequence[Identity | int]) -> bool:
        """Somebody decided that two of the sets are two people."""
        found = set().union(*(self.sides.get(root, ()) for root in roots))
        return any((number, 1 - side) in found for number, side in found)

    def _join(self, roots: Sequence[Identity | int]) -> None:
        first, *others = roots
        for other in others:
            self.above[other] = first
            for kind, values in self.ids.pop(other, {}).items():
                mine = self.ids.setdefault(first, {})
                mine[kind] = mine.get(kind, set()) | values
            self.sides[first] |= self.sides.pop(other, set())

    def _roots(self, nodes: Iterable[Identity | int]) -> list[Identity | int]:
        return list(dict.fromkeys(self._root(node) for node in nodes))

    def _root(self, node: Identity | int) -> Identity | int:
        root = node
        while root in self.above:
            root = self.above[root]
        while node in self.above:  # so that the next look is short
            self.above[node], node = root, self.above[node]
        return root

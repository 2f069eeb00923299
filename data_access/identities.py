"""Who is who: normalised identities and the opaque ids derived from them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

IDENTITY_PRIORITY = {"id": 0, "email": 1, "phone": 2, "handle": 3}
Identity = tuple[str, str]


def opaque_id(prefix: str, *parts: str) -> str:
    """Twelve characters: a letter and 64 bits of BLAKE2b; the same parts give the same id on every engine."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return prefix + base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def content_hash(*parts: object) -> str:
    """Hash of what a source gave; None and empty text differ."""
    text = "\x1f".join("\x00" if part is None else str(part) for part in parts)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii")


def normalised(kind: str, value: str | None) -> str | None:
    """Comparable form of an identity; None where nothing is left to compare."""
    if value is None:
        return None
    text = value.strip()
    if kind == "email":
        text = text.lower()
        return text if "@" in text else None
    if kind == "phone":
        digits = re.sub(r"[^\d+]", "", text)
        digits = "+" + digits[2:] if digits.startswith("00") else digits
        return digits if len(digits) >= 5 else None
    if kind.startswith("handle:"):
        text = text.lstrip("@").lower()
    return text or None


def split_identity(text: str) -> tuple[str, str] | None:
    """`kind=value` of a customers file, normalised; None where nothing is left."""
    kind, _, value = text.partition("=")
    clean = normalised(kind, value)
    return (kind, clean) if clean else None


class People:
    """Which customers are one person: those who share an identity, unless one source has two ids for them.

    The person is named after the strongest identity (a customers file's own id first), so that the order in
    which customers come to be known makes no difference.
    """

    def __init__(self, identities: Mapping[str, Iterable[Identity]], own_kinds: Collection[str] = ()) -> None:
        self._above: dict[str, str] = {}
        self._own_kinds = own_kinds
        self._identities = {customer: set(given) for customer, given in identities.items()}

    def add(self, customer: str, identity: Identity) -> None:
        """One more identity of a customer, which nobody had."""
        self._of(self._root(customer)).add(identity)

    def link(self, one: str, other: str, *, is_listed: bool = False) -> bool:
        """Take two customers for one person; False where a source says that they are two.

        Where a customers file lists the id (`is_listed`), only another customer of such a file says so: one
        person may have several ids in a source.
        """
        first, second = self._root(one), self._root(other)
        if first == second:
            return True
        sides = (self._of(first), self._of(second))
        if is_listed:
            own = [{identity for identity in side if identity[0] in self._own_kinds} for side in sides]
            sides = (own[0], own[1])
        if _are_two_people(*sides):
            return False
        self._above[second] = first
        self._of(first).update(self._identities.pop(second, ()))
        return True

    def rank(self, customer: str) -> tuple[bool, int, str, str]:
        """How strong the strongest identity of the person is; the smallest is the strongest."""
        return min(map(self._rank, self._of(self._root(customer))), default=(True, 9, "", customer))

    def name(self, customer: str) -> str:
        """Customer id of the person."""
        *_, kind, value = self.rank(customer)
        return opaque_id("c", kind, value) if kind else customer

    def _rank(self, identity: Identity) -> tuple[bool, int, str, str]:
        kind, value = identity
        return kind not in self._own_kinds, IDENTITY_PRIORITY[kind.split(":")[0]], kind, value

    def _of(self, root: str) -> set[Identity]:
        return self._identities.setdefault(root, set())

    def _root(self, customer: str) -> str:
        while customer in self._above:
            customer = self._above[customer]
        return customer


def _are_two_people(one: Iterable[Identity], other: Iterable[Identity]) -> bool:
    """Some source has an id for each of them, and not the same one."""
    ids: defaultdict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for side, identities in enumerate((one, other)):
        for kind, value in identities:
            if kind.startswith("id:"):
                ids[kind][side].add(value)
    return any(mine and theirs and mine.isdisjoint(theirs) for mine, theirs in ids.values())

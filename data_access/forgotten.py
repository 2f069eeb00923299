"""What the store must not take in again: customers whom `forget` removed, known by keyed hashes only.

An event of a forgotten customer stays as a row without personal data (`content_hash` says so) and is never
written again. An identity of theirs is kept as a hash, keyed with a secret of this store.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, select, union, update
from sqlalchemy.sql.elements import ColumnElement

from data_access.config import IdentityRules
from data_access.customers import given_by
from data_access.identities import CONVERSATION_KIND, Identity, normalised, opaque_id
from data_access.schema import forgotten_identities, interactions
from data_access.sources.base import BATCH_ROWS, Reject
from data_access.store import read_info

MARK = "forgotten"  # stands where an event's content hash stood
SALT = "forget_salt"  # entry of store_info: the key of the hashes
ANYWHERE = "*"  # kind under which a value is looked for in raw rows
NAME = "name"  # kind under which a person's name is remembered
NAME_WORDS = range(2, 5)  # of one word alone there are too many people
_SHORT = 4  # shorter values are looked for in rows of their own source only
_TOKEN = re.compile(r"[^\s,;|\"'<>()\[\]{}=\\]+")
_WORD = re.compile(r"\w[\w'’-]*")
_NUMBER = re.compile(r"\+?\d[\d ().\-/]{3,}\d")


def salt_of(connection: Connection) -> str | None:
    """The key of the hashes; None where nobody was ever forgotten."""
    return read_info(connection).get(SALT)


def identity_hash(salt: str, kind: str, value: str) -> str:
    """Keyed hash of an identity: the same in this store, another one in every other."""
    data = f"{kind}\x1f{value}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, key=salt.encode("ascii"), digest_size=16).hexdigest()


def searched_as(kind: str, value: str) -> Identity:
    """Under which name a value is looked for in raw rows."""
    is_of_source = kind.startswith("id:") and len(value) < _SHORT
    return (ANYWHERE + kind.removeprefix("id:") if is_of_source else ANYWHERE), value.casefold()


def comparable(kind: str, given: str, region: str) -> set[Identity]:
    """Under which names an identity is remembered, and looked for: also as read without a region of numbers."""
    read = {normalised(kind, given, region), normalised(kind, given)}
    return {(kind, value) for value in read if value}


def is_forgotten() -> ColumnElement[bool]:
    """The stored interaction is one of a forgotten customer."""
    return interactions.c.content_hash == MARK


def tokens(raw: str) -> set[str]:
    """What may be an identity in a raw row: its words, and its runs of digits as telephone numbers."""
    words = {word.strip(".:!?").casefold() for word in _TOKEN.findall(raw)}
    numbers = {normalised("phone", number) for number in _NUMBER.findall(raw)}
    return {token for token in words | {word.lstrip("@") for word in words} | numbers if token}


def name_of(text: str) -> Identity | None:
    """Under which name a person's name is remembered: its words, in any order. None where they are too few or many."""
    words = _WORD.findall(text.casefold())
    return (NAME, " ".join(sorted(words))) if len(words) in NAME_WORDS else None


def names_in(raw: str) -> dict[Identity, str]:
    """All that may be a person's name in a raw row, as `name_of` says it, with how it stands there."""
    words = list(_WORD.finditer(raw))
    found: dict[Identity, str] = {}
    for count in NAME_WORDS:
        for first, last in zip(words, words[count - 1 :], strict=False):
            shown = raw[first.start() : last.end()]
            name = name_of(shown)
            if name is not None:
                found[name] = shown
    return found


def without_forgotten_events(connection: Connection, stage: Table, rules: IdentityRules) -> list[Reject]:
    """Take events of forgotten customers out of the staged rows.

    Those that the store knows count as unchanged. Others that state an identity of the customer, or stand in one of
    their conversations, whoever wrote them, are rejected where they happened before the customer was forgotten,
    without their raw text; what happened later is new and stays.
    """
    salt = salt_of(connection)
    if salt is None:
        return []
    s = stage.c
    stated = union(*given_by(stage)).subquery("given")
    g = stated.c
    staged = {
        (kind, given): comparable(kind, given, rules.phone_region)
        for kind, given in connection.execute(select(g.identity_kind, g.given).distinct())
    }
    known = _forgotten_at(connection, salt, {pair for pairs in staged.values() for pair in pairs})
    threads = {(CONVERSATION_KIND, name) for name in connection.scalars(select(s.conversation_id).distinct())}
    past_ids = {name: at for (_, name), at in _forgotten_at(connection, salt, threads).items()}
    for (kind, given), pairs in staged.items():
        times = [known[pair] for pair in pairs if pair in known]
        if times:
            theirs = select(g.conversation_id).where(g.identity_kind == kind, g.given == given).distinct()
            for conversation_id in connection.scalars(theirs):
                past_ids[conversation_id] = max(*times, past_ids.get(conversation_id, times[0]))
    connection.execute(
        delete(stage).where(s.interaction_id.in_(select(interactions.c.interaction_id).where(is_forgotten())))
    )
    _rename_answered(connection, stage)
    rejects: list[Reject] = []
    for conversation_id, at in past_ids.items():
        past = and_(s.conversation_id == conversation_id, s.occurred_at <= at)
        places = select(s.line, s.file).where(past, s.is_from_file.is_(True)).order_by(s.file, s.line)
        reason = f"its customer was forgotten on {at:%Y-%m-%d}"
        rejects += [Reject(line, reason, "", file) for line, file in connection.execute(places)]
        connection.execute(delete(stage).where(past))
    return rejects


def _rename_answered(connection: Connection, stage: Table) -> None:
    """Let rows of others name a forgotten message by its pseudonym, as the stored ones do."""
    i, s = interactions.c, stage.c
    pseudonyms = {
        row.interaction_id: row.external_id
        for row in connection.execute(select(i.interaction_id, i.external_id).where(is_forgotten()))
    }
    if not pseudonyms:
        return
    for column in (s.reply_to, s.thread_id):
        named = select(s.source, column).where(column.is_not(None)).distinct()
        rows = connection.execute(named, execution_options={"yield_per": BATCH_ROWS})
        keys = ((source, value, opaque_id("i", source, value)) for source, value in rows)
        for source, value, key in [found for found in keys if found[2] in pseudonyms]:
            of_it = and_(s.source == source, column == value)
            connection.execute(update(stage).where(of_it).values({column.name: pseudonyms[key]}))


def without_forgotten_customers(
    connection: Connection, rows: Sequence[Mapping[str, Any]], source: str, rules: IdentityRules
) -> Sequence[Mapping[str, Any]]:
    """Rows of a customers file that list no identity of a forgotten customer; the others count as unchanged."""
    salt = salt_of(connection)
    if salt is None:
        return rows
    kind = f"id:{source}"
    given = []
    for row in rows:
        listed = (text.partition("=") for text in row["identities"] or ())
        stated = [(kind, row["external_id"]), *((of, value) for of, _, value in listed)]
        given.append({pair for of, value in stated for pair in comparable(of, value, rules.phone_region)})
    known = _forgotten_at(connection, salt, {pair for pairs in given for pair in pairs})
    return [row for row, pairs in zip(rows, given, strict=True) if known.keys().isdisjoint(pairs)]


def without_forgotten_raw(connection: Connection, rejects: Mapping[str, Reject], source: str) -> dict[str, Reject]:
    """Rejects by their key; the raw text of those that name a forgotten customer is left out."""
    salt = salt_of(connection)
    if salt is None or not rejects:
        return dict(rejects)
    words = {key: tokens(reject.raw or "") for key, reject in rejects.items()}
    names = {key: names_in(reject.raw or "") for key, reject in rejects.items()}
    known_names = _forgotten_at(connection, salt, {name for found in names.values() for name in found})
    every = {word for found in words.values() for word in found}
    searched = {pair: word for word in every for pair in ((ANYWHERE, word), (ANYWHERE + source, word))}
    named = {searched[pair] for pair in _forgotten_at(connection, salt, searched)}
    ids = {opaque_id("i", source, word): word for word in every}
    known = set(connection.scalars(select(interactions.c.interaction_id).where(is_forgotten())))
    named |= {word for key, word in ids.items() if key in known}
    told = {
        key: (words[key] & named) | {shown for name, shown in names[key].items() if name in known_names}
        for key in rejects
    }
    return {
        key: Reject(reject.line, without_values(reject.reason, told[key]), "") if told[key] else reject
        for key, reject in rejects.items()
    }


def words_of_file(name: str) -> set[str]:
    """What may be an identity in the name of a file, such as an address before its ending."""
    words = set[str]()
    for part in {name, *re.split(r"[\s_+-]+", name)}:
        pieces = part.split(".")
        for count in range(1, len(pieces) + 1):
            words |= tokens(".".join(pieces[:count]))
    return words


def names_of_file(name: str) -> str:
    """The name of a file as a text in which a person's name can be found."""
    return re.sub(r"[._+-]", " ", name)


def pseudonym_of_file(salt: str, name: str) -> str:
    """What stands for a file whose name names a forgotten customer: always the same, so that `watch` knows it."""
    return f"{MARK}-{identity_hash(salt, 'file', name)}"


def stored_file_name(connection: Connection, name: str, source: str) -> str:
    """The name of a loaded file as it is kept: a pseudonym where it names a forgotten customer."""
    salt = salt_of(connection)
    if salt is None:
        return name
    words = words_of_file(name)
    searched = {pair for word in words for pair in ((ANYWHERE, word), (ANYWHERE + source, word))}
    searched |= set(names_in(names_of_file(name)))
    return pseudonym_of_file(salt, name) if _forgotten_at(connection, salt, searched) else name


def without_values(reason: str, values: Iterable[str]) -> str:
    """A reason without the values that it quotes."""
    for value in sorted(values, key=len, reverse=True):
        reason = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "(forgotten)", reason, flags=re.IGNORECASE)
    return reason


def _forgotten_at(connection: Connection, salt: str, pairs: Iterable[Identity]) -> dict[Identity, dt.datetime]:
    """Those of the identities that are forgotten, and since when."""
    times = {row.identity_hash: row.forgotten_at for row in connection.execute(select(forgotten_identities))}
    found = {pair: times.get(identity_hash(salt, *pair)) for pair in pairs} if times else {}
    return {pair: at for pair, at in found.items() if at is not None}

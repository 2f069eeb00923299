"""Mail folders: mbox files, single messages (.eml) and folders of them (Maildir), through the standard library.

Threads come from References, In-Reply-To and Message-ID; direction from the company's own addresses, which the
settings name under [accounts.mail]. Attachments are never read; a broken charset never stops a message.
"""

from __future__ import annotations

import datetime as dt
import email
import email.header
import email.utils
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

from data_access.errors import SourceError
from data_access.sources.base import Batch, Part, Source, StoreContext, clean
from data_access.sources.files import Building, Lookup, files_of
from data_access.sources.records import Row, form_of, plain

MAX_MESSAGE_BYTES = 32 << 20
MAX_TEXT = 200_000
RAW_KEPT = 4_000
_ID = re.compile(r"<([^<>\s]{1,500})>")
_QUOTE_INTRO = re.compile(r"(?:On .{4,200} wrote:|-{2,}\s*Original Message\s*-{2,}|Am .{4,200} schrieb .{1,200}:)\s*$")
# Lines over which mail programs break such an intro.
INTRO_LINES = 3
# The head of a message above its quote, as Outlook writes it, in the languages that are most met; * is bold.
_HEAD = {
    "from": re.compile(r"\*?(?:From|Von|De|Da|Van)\s?:", re.IGNORECASE),
    "sent": re.compile(
        r"\*?(?:Sent|Date|Gesendet|Datum|Envoy\u00e9|Enviado|Fecha|Inviato|Verzonden)\s?:", re.IGNORECASE
    ),
    "subject": re.compile(r"\*?(?:Subject|Betreff|Objet|Asunto|Oggetto|Onderwerp)\s?:", re.IGNORECASE),
}
HEAD_LINES = 8
# Above the head of a message that is no quote: the writer wants it to be read.
_PASSED_ON = re.compile(
    r"forwarded|weitergeleitet|transf\u00e9r\u00e9|reenviado|inoltrato|doorgestuurd", re.IGNORECASE
)
_BLOCKQUOTE = re.compile(r"<(/?)blockquote\b", re.IGNORECASE)
# Where the quote of Gmail's and of Outlook's pages begins; the intro is part of it.
_QUOTE_BEGINS = re.compile(r"<div\b[^<>]{1,300}\b(?:gmail_quote|divRplyFwdMsg)\b", re.IGNORECASE)
# An mbox puts > before what would begin another message, and another one before what has one.
_ESCAPED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)
# How a group names the customer whose address it replaces by its own.
_VIA = re.compile(r"'([^']{1,200})' via ")
# Not "list": a shared inbox that is a group (Google Groups) writes that on every question and answer.
_BULK = frozenset({"bulk", "junk", "auto_reply", "auto-reply"})
_UNEXPLAINED = "unknown-8bit"
_MAIL_SYSTEMS = frozenset({"mailer-daemon", "postmaster"})
# Takeout writes its labels in the language of the account; "Spam" is the same in these.
_ASIDE_LABELS = frozenset({
    "drafts", "trash", "bin",
    "entwürfe", "papierkorb",
    "brouillons", "corbeille",
    "borradores", "papelera",
    "bozze", "cestino",
    "rascunhos", "lixeira", "lixo",
    "concepten", "prullenbak",
})  # fmt: skip
_MAILDIR_FLAGS = re.compile(r"[:;!]2,([A-Za-z]{1,60})$")
# What the parser of the standard library is known to raise on broken headers and bodies.
_BROKEN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError, OverflowError)


def read(path: Path, *, context: StoreContext, more: tuple[Path, ...] = (), **_: object) -> Iterator[Batch]:
    """Batches of mail files. Raises SourceError where there are none, or where no company address is known."""
    company = {account.lower().lstrip("@"): brand for account, brand in context.company_accounts().items()}
    if not company:
        raise SourceError(
            f"{path}: whose mail is it? name the company's addresses or domains in the settings: "
            '[accounts.mail] then "support@acme.com" = "Acme"'
        )
    paths = [file for given in (path, *more) for file in _mail_files(given)]
    if not paths:
        raise SourceError(f"{path}: holds no mail")
    names = {file: file.name for file in paths} if len(paths) > 1 else {}
    threads = _Threads(context)
    for file in paths:
        for _line, data, _is_mbox in _messages(file):
            threads.see(file, data, company)
    threads.join_stored()
    building = Building()
    for file in paths:
        for line, data, is_mbox in _messages(file):
            row = Row(line, "", {}, clean(data[:RAW_KEPT].decode("utf-8", "replace")))
            try:
                message = email.message_from_bytes(_ESCAPED_FROM.sub(rb"\1", data) if is_mbox else data)
                if not _is_aside(message, file):
                    for event in _events(message, data, company, threads):
                        building.add(row, names.get(file), event)
            except _BROKEN as problem:
                building.reject(row, names.get(file), f"cannot be read as mail: {str(problem)[:120]}")
            if building.is_full:
                yield building.rest()
    yield building.rest()
    threads.close()


def _mail_files(path: Path) -> list[Path]:
    """The file that is named, whatever it holds; of a folder those that look like mail."""
    return [file for file in files_of((path,)) if form_of(file) == "mail"] if path.is_dir() else [path]


def _messages(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """First line and bytes of each message, and whether the file is an mbox; else it is one message."""
    try:
        with path.open("rb") as file:
            kept: list[bytes] = []
            size, first, was_empty, is_mbox = 0, 1, True, False
            for number, line in enumerate(iter(lambda: file.readline(1 << 20), b""), 1):
                if line.startswith(b"From ") and was_empty and (number == 1 or is_mbox):
                    is_mbox = True
                    if b"".join(kept).strip():
                        yield first, b"".join(kept), is_mbox
                    kept, size, first = [], 0, number
                elif size < MAX_MESSAGE_BYTES:
                    kept.append(line)
                    size += len(line)
                was_empty = not line.strip()
            if b"".join(kept).strip():
                yield first, b"".join(kept), is_mbox
    except OSError as problem:
        raise SourceError(f"{path}: cannot be read: {problem.strerror}") from problem


class _Threads:
    """Which message belongs to which thread, and who wrote it: two short texts per message, on disk if many."""

    def __init__(self, context: StoreContext) -> None:
        self._context = context
        self._known = Lookup()
        self._missing: dict[str, None] = {}

    def see(self, path: Path, data: bytes, company: Mapping[str, str]) -> None:
        """Remember one message: what it answers, and its sender if that is a customer."""
        try:
            message = email.message_from_bytes(data)
            if _is_aside(message, path):
                return
            key, above = _message_id(message, data), _above(message)
            _, sender = _sender(message, company)
            customer = sender if sender and _brand(sender, company) is None else None
        except _BROKEN:
            return  # told when it is read as an event
        self._known[key] = (above, customer, _first_referred(message))
        if above is not None:
            self._missing[above] = None

    def join_stored(self) -> None:
        """Threads of earlier loads that these messages go on with."""
        wanted = [key for key in self._missing if key not in self._known]
        for event in self._context.related_events(sorted(wanted), []) if wanted else ():
            if event.external_id not in self._known:
                self._known[event.external_id] = (event.reply_to, event.author if event.is_inbound else None, None)
        self._missing.clear()

    def root(self, key: str) -> str:
        """The first message of the thread, also one that is in no file. A ring of broken links: its smallest id."""
        seen: set[str] = set()
        while True:
            above, _, first = self._known.get(key) or (None, None, None)
            if above is None:
                return key
            if key in seen:
                return min(seen)
            seen.add(key)
            if above not in self._known:
                return str(first or above)
            key = above

    def customer(self, key: str | None) -> str | None:
        """Who wrote the nearest message above that a customer wrote."""
        seen: set[str] = set()
        while key is not None and key not in seen:
            seen.add(key)
            above, customer, _ = self._known.get(key) or (None, None, None)
            if customer is not None:
                return str(customer)
            key = above
        return None

    def customers(self, key: str | None) -> set[str]:
        """Who of the customers wrote a message above."""
        seen: set[str] = set()
        found: set[str] = set()
        while key is not None and key not in seen:
            seen.add(key)
            above, customer, _ = self._known.get(key) or (None, None, None)
            if customer is not None:
                found.add(str(customer))
            key = above
        return found

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def close(self) -> None:
        """Give the space back."""
        self._known.close()


def _header(message: Message, name: str) -> str:
    """A header as text, whatever its charset claims to be."""
    value = message.get(name)
    if value is None:
        return ""
    parts = []
    # A header with bytes that no charset explains is an object: its text would have lost them.
    for part, charset in email.header.decode_header(value):
        parts.append(_decoded(part, charset) if isinstance(part, bytes) else part)
    return clean(" ".join("".join(parts).split()))


def _decoded(data: bytes, charset: str | None) -> str:
    if charset == _UNEXPLAINED:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("latin-1")
    try:
        return data.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError, UnicodeError):
        return data.decode("utf-8", "replace")


def _addresses(message: Message, *names: str) -> list[tuple[str, str]]:
    given = [_header(message, name) for name in names]
    found = email.utils.getaddresses([text for text in given if text])
    return [(name.strip(), address.strip().lower()) for name, address in found if "@" in address]


def _brand(address: str, company: Mapping[str, str]) -> str | None:
    """The brand of a company address, by itself or by its domain; None for anybody else's."""
    domain = address.rpartition("@")[2]
    while domain:
        if (brand := company.get(address) or company.get(domain)) is not None:
            return brand
        domain = domain.partition(".")[2]
    return None


def _sender(message: Message, company: Mapping[str, str]) -> tuple[str, str]:
    """Name and address of who wrote; of both "" where nobody is named.

    A group rewrites the From of customers whose provider forbids others to send in their name (DMARC), and a contact
    form writes from an address of the company's: who really wrote stands in other headers then.
    """
    name, sender = next(iter(_addresses(message, "From") or _addresses(message, "Sender")), ("", ""))
    if not sender or _brand(sender, company) is None:
        return name, sender
    written = _addresses(message, "X-Original-From") + _addresses(message, "X-Original-Sender")
    receivers = _addresses(message, "To", "Cc")
    if receivers and all(_brand(address, company) is not None for _, address in receivers):
        written += _addresses(message, "Reply-To")
    for given, address in written:
        if _brand(address, company) is None:
            via = _VIA.match(name)
            return given or (via[1] if via else ""), address
    return name, sender


def _message_id(message: Message, data: bytes) -> str:
    found = _ID.search(str(message.get("Message-ID") or ""))
    return clean(found[1]) if found else "sha:" + hashlib.blake2b(data, digest_size=12).hexdigest()


def _above(message: Message) -> str | None:
    """The message that this one answers."""
    answered = _ID.findall(str(message.get("In-Reply-To") or ""))
    referred = _ID.findall(str(message.get("References") or ""))
    own = _ID.search(str(message.get("Message-ID") or ""))
    above = [key for key in (*referred, *answered[:1]) if own is None or key != own[1]]
    return clean(above[-1]) if above else None


def _first_referred(message: Message) -> str | None:
    referred = _ID.search(str(message.get("References") or ""))
    return clean(referred[1]) if referred else None


def _is_aside(message: Message, path: Path) -> bool:
    """Was never sent, was thrown away, or is where a mail server keeps its books: no mail of any conversation."""
    if not _ASIDE_LABELS.isdisjoint(_labels(message)):
        return True
    # Draft and trashed, or deleted: the letters of a Maildir in the name of the file, those of an mbox in a header.
    flags = _MAILDIR_FLAGS.search(path.name) if path.parent.name == "cur" else None
    if not {"D", "T"}.isdisjoint((flags[1] if flags else "") + str(message.get("X-Status") or "")):
        return True
    is_numbered = message.get("X-IMAP") is not None or message.get("X-IMAPbase") is not None
    return is_numbered and _header(message, "Subject").upper().startswith("DON'T DELETE THIS MESSAGE")


def _labels(message: Message) -> frozenset[str]:
    """What Gmail says of a message in an export (Takeout)."""
    return frozenset(label.strip().lower() for label in _header(message, "X-Gmail-Labels").split(","))


def _is_automatic(message: Message, sender: str) -> bool:
    """RFC 3834, and what mail systems wrote before it; a bounce names nobody to whom it could itself come back."""
    submitted = str(message.get("Auto-Submitted") or "no").split(";")[0].strip().lower()
    precedence = str(message.get("Precedence") or "").strip().lower()
    return (
        submitted != "no"
        or precedence in _BULK
        or message.get("X-Autoreply") is not None
        or str(message.get("Return-Path") or "").strip() == "<>"
        or message.get_content_type() == "multipart/report"
        or sender.partition("@")[0] in _MAIL_SYSTEMS
    )


def _events(message: Message, data: bytes, company: Mapping[str, str], threads: _Threads) -> list[dict[str, Any]]:
    """The event that a message is; a reply to several customers of its thread is one in the conversation of each."""
    at = _date(message)
    name, sender = _sender(message, company)
    if not sender:
        raise ValueError("From names no address")
    receivers = _addresses(message, "To", "Cc")
    brand = _brand(sender, company)
    is_outbound = brand is not None
    key, above = _message_id(message, data), _above(message)
    outside = list(dict.fromkeys(address for _, address in receivers if _brand(address, company) is None))
    if is_outbound:
        earlier = threads.customer(above)
        customer = earlier if earlier in outside or (earlier and not outside) else next(iter(outside), None)
        # Among colleagues: seen by no customer.
        is_visible = bool(outside) or bool(earlier and not receivers)
    else:
        customer, is_visible = sender, True
        # A From of the company's is one that a group wrote.
        ours = (_brand(address, company) for _, address in receivers + _addresses(message, "From"))
        brand = next(filter(None, ours), None)
    is_automatic = _is_automatic(message, sender)
    kind = "system" if is_automatic else "agent" if is_outbound else "customer"
    root = threads.root(key)
    subject = _header(message, "Subject")
    body = _body(message)
    event = {
        "external_id": key,
        "thread_id": root,
        "conversation": f"{root}|{customer or ''}",
        "customer": None,
        "email": customer,
        "display_name": name or None if not is_outbound else None,
        "channel": "email",
        "direction": "outbound" if is_outbound else "inbound",
        "author_kind": kind,
        "author": sender,
        "agent": clean(name or sender) if kind == "agent" else None,
        "brand": brand,
        "occurred_at": at,
        # What Gmail took for spam asks the company for nothing.
        **dict.fromkeys(
            ("needs_reply", "is_complaint"), False if not is_outbound and "spam" in _labels(message) else None
        ),
        "text": body if above is not None or not subject else f"{subject}\n{body or ''}".strip(),
        "reply_to": above,
        "is_visible": is_visible,
        "is_parent_missing": above is not None and above not in threads,
    }
    others = threads.customers(above) - {customer} if is_outbound and len(outside) > 1 else set()
    # No Message-ID holds a space, and the place among the receivers is the same in every load.
    return [event] + [
        {**event, "external_id": f"{key} {place}", "conversation": f"{root}|{address}", "email": address}
        for place, address in enumerate(outside, 1)
        if address in others
    ]


def _date(message: Message) -> dt.datetime:
    text = str(message.get("Date") or "")
    if not text:
        raise ValueError("Date is missing")
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError) as problem:
        raise ValueError(f"Date is {text[:60]!r}, not a time") from problem
    return at.astimezone(dt.UTC).replace(tzinfo=None) if at.tzinfo is not None else at


def _body(message: Message) -> str | None:
    """The first plain text part, else the words of the first HTML part, without what it quotes."""
    texts: dict[str, str] = {}
    for part in message.walk():
        kind = part.get_content_type()
        is_attached = str(part.get("Content-Disposition") or "").strip().lower().startswith("attachment")
        if kind in ("text/plain", "text/html") and kind not in texts and not is_attached:
            data = part.get_payload(decode=True)
            if isinstance(data, bytes):
                texts[kind] = _decoded(data[: 4 * MAX_TEXT], part.get_content_charset())[:MAX_TEXT]
    markup = texts.get("text/html")
    found = texts.get("text/plain") or plain(_markup_unquoted(markup) if markup else None)
    return clean(_unquoted(found.splitlines())) or None if found else None


def _markup_unquoted(markup: str) -> str:
    """HTML without its quotes: by their elements, since no sign stands before each line as in plain text."""
    begin = _QUOTE_BEGINS.search(markup)
    above = _without_blockquotes(markup[: begin.start()] if begin else markup)
    # With nothing above the quote the answer stands below it, or it is a message that is passed on.
    return above if begin is None or (plain(above) or "").strip() else _without_blockquotes(markup)


def _without_blockquotes(markup: str) -> str:
    """With a line that begins with > in place of each; one that is never closed goes on to the end."""
    kept, at, depth = [], 0, 0
    for tag in _BLOCKQUOTE.finditer(markup):
        if not tag[1]:
            if depth == 0:
                kept += [markup[at : tag.start()], "<br>&gt;<br>"]
            depth += 1
        elif depth:
            depth -= 1
            at = markup.find(">", tag.end()) + 1 or len(markup)
    return "".join(kept) + (markup[at:] if depth == 0 else "")


def _unquoted(lines: Sequence[str]) -> str:
    """What the writer wrote: lines of a quote are left out, and all from its intro on.

    With nothing above the intro, the answer stands below the quote, or it is a message that is passed on.
    """
    last_quoted = max((at for at, line in enumerate(lines) if line.startswith(">")), default=-1)
    kept: list[str] = []
    last, at = "", 0
    while at < len(lines):
        line = lines[at]
        intro = _intro_lines(lines, at)
        if intro and (last or last_quoted < at):
            break
        if last and _is_head(lines, at) and not _PASSED_ON.search(last[:200]):
            return "\n".join(kept).rstrip("_ \n").strip()  # with the line that Outlook draws above it
        if not intro and not line.startswith(">"):
            kept.append(line.rstrip())
            last = line.strip() or last
        at += intro or 1
    return "\n".join(kept).strip()


def _intro_lines(lines: Sequence[str], at: int) -> int:
    """How many lines from here on are the intro of a quote; 0 where none begins here."""
    first = lines[at].strip()
    if _QUOTE_INTRO.match(first[:500]):
        return 1
    if first.startswith(("On ", "Am ")):
        for count in range(2, INTRO_LINES + 1):
            joined = " ".join(line.strip()[:500] for line in lines[at : at + count])
            if _QUOTE_INTRO.match(joined):
                # A writer's own sentence may begin and end like that; it names no address, and no quote follows.
                below = "".join(lines[at + count : at + count + 2]).strip()
                return count if "@" in joined or below.startswith(">") else 0
    return 0


def _is_head(lines: Sequence[str], at: int) -> bool:
    """A block of From, Sent and Subject begins here."""
    if not _HEAD["from"].match(lines[at].strip()):
        return False
    block = [line.strip() for line in lines[at + 1 : at + HEAD_LINES]]
    return all(any(_HEAD[name].match(line) for line in block) for name in ("sent", "subject"))


SOURCE = Source(
    name="mail",
    summary="Mail: mbox files, .eml messages and folders of them; company addresses under [accounts.mail]",
    gaps="no teams; answers from mailboxes that are not loaded are missing; attachments are not read",
    read=read,
    parts=(Part("messages", frozenset({"message"})),),
    is_folder=True,
    has_parents_later=True,
)

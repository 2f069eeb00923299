"""Who is who: normalised identities and the opaque ids derived from them."""

from __future__ import annotations

import base64
import hashlib
import re

IDENTITY_PRIORITY = {"id": 0, "email": 1, "phone": 2, "handle": 3}


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

"""Commands of the store's operation: upgrade, migrate, forget, watch. Each says what it did; `cli` prints it."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from data_access import migrations
from data_access.store import default_store_url, shown_url


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a command did: in words, as values for `--json`, and its exit status."""

    words: str
    values: dict[str, Any]
    status: int = 0


def store_url(options: argparse.Namespace) -> str:
    """`--store`, else the store of the environment."""
    return str(options.store or default_store_url())


def upgrade(options: argparse.Namespace) -> Outcome:
    """Bring an older store to the present schema."""
    url = store_url(options)
    before, after = migrations.upgrade(url)
    values = {"store": shown_url(url), "schema_before": before, "schema_after": after}
    if before == after:
        return Outcome(f"{shown_url(url)} has the present schema, {after}; nothing was done", values)
    return Outcome(f"upgraded {shown_url(url)} from schema {before} to {after}; everything was derived again", values)

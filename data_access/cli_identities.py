"""`frontdoor identities`: why customers are one person, and decisions by hand."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from data_access import decisions
from data_access.filters import listed
from data_access.identities import Decision, Identity
from data_access.output import counted


def add_commands(parser: argparse.ArgumentParser, url_of: Callable[[argparse.Namespace], str]) -> None:
    """Add `explain`, `split` and `merge` to the command."""
    commands = parser.add_subparsers(metavar="WHAT", required=True)

    def command(name: str, run: Callable[[argparse.Namespace, str], int], words: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=words, description=words)
        sub.set_defaults(run=lambda options: run(options, url_of(options)))
        sub.add_argument("--store", metavar="URL", default=None, help="duckdb:///FOLDER or postgresql+psycopg://…")
        sub.add_argument("--json", action="store_true", help="machine-readable output on standard output")
        return sub

    who = "customer id, or kind=value such as email=anna@example.com, phone=+4420…, handle:twitter=anna, id:desk=77"
    explain = command("explain", _explain, "every identity of a customer, whence it came, and what joined it")
    explain.add_argument("who", metavar="CUSTOMER|KIND=VALUE", help=who)
    split = command("split", _split, "make identities of a customer another person, for good")
    split.add_argument("who", metavar="CUSTOMER|KIND=VALUE", help=who)
    split.add_argument("--identity", action="append", required=True, metavar="KIND=VALUE", help="what is not theirs")
    merge = command("merge", _merge, "make two customers one person, for good")
    merge.add_argument("one", metavar="CUSTOMER|KIND=VALUE", help=who)
    merge.add_argument("other", metavar="CUSTOMER|KIND=VALUE", help="the same, of the other")


def _explain(options: argparse.Namespace, url: str) -> int:
    found = decisions.explain(url, options.who)
    if options.json:
        print(json.dumps([_as_object(one) for one in found]))
        return 0
    if len(found) > 1:
        print(f"{options.who} joins nobody; {len(found):,} customers showed it")
    for one in found:
        print(f"customer {one.customer_id}: {counted(one.conversation_count, 'conversation')}")
        for link in one.links:
            print(f"  {_words(link)}")
        for decision in one.decisions:
            print(f"  decision {decision.number} by hand: {_decision(decision)}")
    return 0


def _words(link: decisions.Link) -> str:
    shown_in = counted(link.conversation_count, "conversation")
    text = f"{'='.join(link.identity)} (from {', '.join(link.sources)}; {shown_in})"
    if link.reason:
        return f"{text}: joins nobody: {decisions.reason_in_words(link.reason)}"
    if link.beside:
        return f"{text}: stands with {'='.join(link.beside)} in {link.stated_by}"
    return text


def _decision(decision: Decision) -> str:
    one, other = (", ".join("=".join(identity) for identity in sorted(side)) for side in decision.sides)
    return (
        f"{one} is one person with {other}" if decision.verdict == "merge" else f"{other} is another person than {one}"
    )


def _as_object(one: decisions.Explanation) -> dict[str, Any]:
    return {
        "customer_id": one.customer_id,
        "conversation_count": one.conversation_count,
        "identities": [
            {
                "identity": "=".join(link.identity),
                "sources": list(link.sources),
                "conversation_count": link.conversation_count,
                "stands_with": "=".join(link.beside) if link.beside else None,
                "stated_by": link.stated_by or None,
                "joins_nobody_because": link.reason,
            }
            for link in one.links
        ],
        "decisions": [
            {"decision": each.number, "verdict": each.verdict, "sides": [_texts(side) for side in each.sides]}
            for each in one.decisions
        ],
    }


def _texts(side: frozenset[Identity]) -> list[str]:
    return sorted("=".join(identity) for identity in side)


def _split(options: argparse.Namespace, url: str) -> int:
    return _say(options, "split", decisions.split(url, options.who, options.identity))


def _merge(options: argparse.Namespace, url: str) -> int:
    return _say(options, "merge", decisions.merge(url, options.one, options.other))


def _say(options: argparse.Namespace, verdict: str, done: decisions.Decided) -> int:
    if options.json:
        values = {"customers": list(done.customers), "withdrawn": list(done.withdrawn), "decision": done.number}
        print(json.dumps({"verdict": verdict, **values}))
        return 0
    kept = f"decision {done.number}" if done.number else "no decision needed: so says the data itself"
    print(f"{verdict}: now {listed(done.customers)} ({kept})")
    for number in done.withdrawn:
        print(f"decision {number}, which said otherwise, is withdrawn")
    return 0

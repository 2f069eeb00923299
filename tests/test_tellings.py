"""Which telling is set against which, and which is the most alike: found by the engine as a plain loop finds it."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import random
from pathlib import Path
from typing import Any

import pandas as pd
from conftest import TINY_MAPPING
from sqlalchemy import Table
from stored_rows import frame_of

from data_access import tellings
from data_access.loader import LoadOrder, load, rebuild
from data_access.schema import interactions, waits
from data_access.sources.mapping import mapping_of
from data_access.tellings import MOST_EARLIER, RESULT_COLUMNS, TELLING_SECONDS, WINDOW
from data_access.text.retelling import likeness, telling_of

WORDS = "router invoice parcel garden cable roaming window engineer newsletter voucher".split()


def write_messages(path: Path, *, count: int, seed: int) -> None:
    """A busy shared account, some customers and one whose messages have no texts; many at the same second."""
    draw = random.Random(seed)
    at = {name: dt.datetime(2026, 1, 5) for name in "abcdz"}
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow([*TINY_MAPPING["columns"]])
        for number in range(count):
            customer = draw.choice("aaaaaabcdz")
            at[customer] += dt.timedelta(seconds=draw.choice((0, 0, 1, 60, 3_000, 30_000, 400_000)))
            inbound = draw.random() < 0.5
            words = " ".join(draw.choices(WORDS, k=draw.choice((0, 3, 4, 5))))
            given = {
                "id": number,
                "conversation": f"{customer}{draw.randrange(9)}",
                "customer": customer,
                "direction": "inbound" if inbound else "outbound",
                "author_kind": "customer" if inbound else "agent",
                "agent": "" if inbound else draw.choice(("Bo", "Cy", "Di", "")),
                "occurred_at": at[customer].isoformat() + "Z",
                "text": "" if customer == "z" else words,
                "needs_reply": "true" if inbound else "",
            }
            given["channel"] = ("email", "phone", "chat")[int(given["conversation"][1:]) % 3]
            rows.writerow([given.get(name, "") for name in TINY_MAPPING["columns"]])


def plain(url: str, table: Table) -> pd.DataFrame:
    """All rows, with None for what is empty."""
    frame = frame_of(url, table).astype(object)
    return frame.where(frame.notna(), None)


def expected(url: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The tellings of each customer in order, each against all before it."""
    stored, messages = plain(url, waits), plain(url, interactions)
    messages = messages[messages["direction"] == "inbound"].sort_values(["occurred_at", "external_id"])
    told: list[dict[str, Any]] = []
    tells = stored["needs_reply_at"].notna() & (stored["kind"] != "outreach")
    for wait in stored[tells].to_dict("records"):
        until = wait["started_at"] + dt.timedelta(seconds=TELLING_SECONDS)
        until = min(until, wait["response_at"] or until)
        mine = messages[messages["conversation_id"] == wait["conversation_id"]]
        mine = mine[(mine["occurred_at"] >= wait["started_at"]) & (mine["occurred_at"] <= until)]
        in_order = mine.assign(length=mine["external_id"].str.len()).sort_values(
            ["occurred_at", "length", "external_id"]
        )
        text = "\n".join(text for text in in_order["text"] if text)
        told.append({**wait, "at": mine["occurred_at"].max(), "telling": telling_of(text, ["acme"])})
    told.sort(key=lambda one: (one["customer_id"], one["started_at"], one["conversation_id"], one["wait_number"]))
    found = {}
    for _, group in itertools.groupby(told, lambda one: one["customer_id"]):
        mine = list(group)
        for place, one in enumerate(mine):
            before = [b for b in mine[:place] if b["at"] <= one["started_at"] <= b["at"] + WINDOW]
            by_kind = {
                "channel": [b for b in before if b["channel"] != one["channel"]],
                "agent": [b for b in before if _told_another_agent(b, one)],
            }
            if any(by_kind.values()):
                row = {"told_at": one["at"], "other_channel": None}
                for kind, earlier in by_kind.items():
                    row |= _best(one, earlier[-MOST_EARLIER:], kind)
                found[one["conversation_id"], one["wait_number"]] = row
    return found


def _told_another_agent(earlier: dict[str, Any], one: dict[str, Any]) -> bool:
    agents = earlier["responder_agent"], one["responder_agent"]
    return (
        earlier["channel"] == one["channel"]
        and None not in agents
        and agents[0] != agents[1]
        and bool(earlier["response_at"] <= one["started_at"])
    )


def _best(one: dict[str, Any], earlier: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    alike, best = None, None
    for other in sorted(earlier, key=lambda b: (b["at"], b["conversation_id"], -b["wait_number"])):
        found = likeness(other["telling"], one["telling"])
        if best is None or (-1.0 if found is None else found) >= (-1.0 if alike is None else alike):
            alike, best = found, other
    row = {f"other_{kind}_likeness": None if alike is None else round(alike, 6)}
    row |= {
        f"other_{kind}_{name}": best and best[key]
        for name, key in (("conversation_id", "conversation_id"), ("wait_number", "wait_number"), ("told_at", "at"))
    }
    return row | ({"other_channel": best and best["channel"]} if kind == "channel" else {})


def test_each_telling_is_set_against_the_earlier_ones_as_a_loop_does_it(new_store_url: str, tmp_path: Path) -> None:
    write_messages(tmp_path / "messages.csv", count=3_000, seed=11)
    load(new_store_url, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    wanted = expected(new_store_url)
    stored = plain(new_store_url, waits)
    rows = stored[stored["told_at"].notna()]
    got = {
        (row["conversation_id"], row["wait_number"]): {name: row[name] for name in RESULT_COLUMNS}
        for row in rows.to_dict("records")
    }
    assert got == wanted
    kinds = [(row["other_channel_likeness"], row["other_agent_likeness"]) for row in wanted.values()]
    assert len(kinds) > 150
    assert sum(channel is not None for channel, _ in kinds) > 50
    assert sum(agent is not None for _, agent in kinds) > 20
    assert (None, None) in kinds


def test_where_an_id_tells_more_than_a_person_can_nothing_is_compared(tmp_path, monkeypatch):
    url = f"duckdb:///{tmp_path / 'store'}"
    write_messages(tmp_path / "messages.csv", count=1_000, seed=12)
    load(url, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    before = plain(url, waits)
    tells = before[before["needs_reply_at"].notna() & (before["kind"] != "outreach")]
    quarter = pd.to_datetime(tells["started_at"]).dt.to_period("Q")
    in_quarter = tells.groupby([tells["customer_id"], quarter])["started_at"].transform("size")
    most = int(in_quarter.median())
    monkeypatch.setattr(tellings, "MOST_IN_QUARTER", most)
    rebuild(url)
    after = plain(url, waits).set_index(["conversation_id", "wait_number"])["told_at"]
    key = pd.MultiIndex.from_frame(tells[["conversation_id", "wait_number"]])
    crowded = (in_quarter > most).to_numpy()
    assert after[key[crowded]].isna().all()
    assert crowded.any()
    assert after[key[~crowded]].notna().any()

"""Words that rise: what customers write of, not how they are called; on both engines."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from conftest import TINY_MAPPING

from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.reports import run_report
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved

HEAD = "id,conversation,customer,display_name,channel,direction,author_kind,occurred_at,text\n"
MAPPING = {
    "source": "tiny",
    "columns": {name: name for name in HEAD.strip().split(",") if name in TINY_MAPPING["columns"]}
    | {"display_name": "display_name"},
}


def test_a_customers_own_name_is_no_rising_word_but_another_name_is(new_store_url: str, tmp_path: Path) -> None:
    rows = [
        f"{n},c{n},k{n},Ravi O'Kestrel,email,inbound,customer,2026-01-{5 + n % 3:02}T09:00:00Z,"
        "The router failed and Walter never called. Ravi Kestrel\n"
        for n in range(12)
    ]
    before = "99,c99,k99,Eve,email,inbound,customer,2026-01-02T09:00:00Z,Good morning to all\n"
    file = tmp_path / "messages.csv"
    file.write_text(HEAD + before + "".join(rows), encoding="utf-8")
    load(new_store_url, [LoadOrder(file, "csv", mapping_of(MAPPING, "tiny"))])
    engine = open_reader(new_store_url)
    wanted = Filter(date_from=dt.date(2026, 1, 5), date_to=dt.date(2026, 1, 7))
    found = run_report(engine, "rising_topics", resolved(wanted, read_status(engine, new_store_url)), ())
    engine.dispose()
    words = found[found["term_kind"] == "word"].set_index("term")["conversation_count"]
    assert (words["router"], words["walter"]) == (12, 12)
    assert not {"ravi", "kestrel"} & set(words.index)

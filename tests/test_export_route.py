"""Long exports: signed links that end, streamed rows that are those of the button, nothing for whoever guesses."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace
from urllib.parse import urlsplit

import pandas as pd
import pytest
from conftest import TINY_MAPPING, TINY_MESSAGES
from starlette.requests import Request

from data_access.export import csv_of_parts, to_csv
from data_access.filters import Filter
from data_access.loader import LoadOrder, load
from data_access.measures import Selection, measure_named
from data_access.queries import conversations
from data_access.queries.conversations import selected_row_parts, selected_rows
from data_access.sources.mapping import mapping_of
from data_access.store import open_reader, read_status, resolved
from pages.components import data, export_route


@pytest.fixture
def opened(tiny_store_url, monkeypatch):
    monkeypatch.setenv("FRONTDOOR_STORE", tiny_store_url)
    engine = open_reader(tiny_store_url)
    status = read_status(engine, tiny_store_url)
    viewer = SimpleNamespace(teams=None, brands=None)
    monkeypatch.setattr(data, "status", lambda: status)
    monkeypatch.setattr(
        data,
        "scoped",
        lambda wanted: resolved(wanted, status).replace(scope_teams=viewer.teams, scope_brands=viewer.brands),
    )
    export_route._signer.cache_clear()
    return SimpleNamespace(engine=engine, status=status, viewer=viewer)


def fetched(address: str) -> SimpleNamespace:
    """What the route answers to a GET of an address."""
    parts = urlsplit(address)
    assert parts.path == export_route.PATH
    scope = {"type": "http", "method": "GET", "path": parts.path, "query_string": parts.query.encode(), "headers": []}
    sent: list[dict] = []

    async def run() -> None:
        async def receive() -> dict:
            await asyncio.sleep(3600)
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            sent.append(message)

        answer = await export_route.export_rows(Request(scope))
        await answer(scope, receive, send)

    asyncio.run(run())
    body = b"".join(message.get("body", b"") for message in sent[1:])
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return SimpleNamespace(status_code=sent[0]["status"], headers=headers, text=body.decode())


def test_the_streamed_rows_are_those_of_the_button_under_every_filter_and_cell(opened):
    for selection in (
        Selection(Filter(), "contacts"),
        Selection(Filter(channels=("email",)), "complaints", (("channel", "email"),)),
        Selection(Filter(teams=("nobody of that name",)), "contacts"),
    ):
        answer = fetched(export_route.link(selection, "rows behind/it"))
        assert answer.status_code == 200
        limited = Selection(data.scoped(selection.filter), selection.measure, selection.cell)
        assert answer.text == to_csv(selected_rows(opened.engine, limited))
        assert answer.headers["content-disposition"] == 'attachment; filename="rows_behind_it.csv"'
        assert answer.headers["cache-control"] == "no-store"


def test_a_viewer_limited_to_a_team_gets_rows_of_that_team_only(opened):
    everybody = fetched(export_route.link(Selection(Filter(), "contacts"), "rows")).text
    team = pd.read_csv(io.StringIO(everybody))["team"].dropna().iloc[0]
    opened.viewer.teams = (team,)
    mine = pd.read_csv(io.StringIO(fetched(export_route.link(Selection(Filter(), "contacts"), "rows")).text))
    assert set(mine["team"]) == {team}
    assert len(mine) < everybody.count("\r\n") - 1


@pytest.mark.parametrize("token", ["", "x", "eyJhIjoxfQ.aaaaaa.bbbbbb"])
def test_a_link_that_is_not_ours_opens_nothing(opened, token):
    answer = fetched(f"{export_route.PATH}?token={token}")
    assert (answer.status_code, "," in answer.text) == (403, False)


def test_a_link_of_another_start_of_the_server_and_an_old_one_open_nothing(opened, monkeypatch):
    address = export_route.link(Selection(Filter(), "contacts"), "rows")
    monkeypatch.setattr(export_route, "LIFETIME_SECONDS", -1)
    assert fetched(address).status_code == 410
    export_route._signer.cache_clear()
    assert fetched(address).status_code == 403


def test_a_link_from_before_a_load_says_that_the_page_is_old(opened):
    object.__setattr__(opened.status, "version", opened.status.version + 1)
    answer = fetched(export_route.link(Selection(Filter(), "contacts"), "rows"))
    assert answer.status_code == 410
    assert "Reload" in answer.text


@pytest.mark.parametrize("measure", ["contacts", "first_responses", "complaints", "all_conversations"])
@pytest.mark.parametrize("at_once", [1, 3, 10**9])
def test_stretches_of_time_hold_every_row_once_in_its_order(opened, monkeypatch, measure, at_once):
    monkeypatch.setattr(conversations, "ROWS_AT_ONCE", at_once)
    selection = Selection(data.scoped(Filter()), measure)
    whole = selected_rows(opened.engine, selection)
    parts = list(selected_row_parts(opened.engine, selection))
    days = whole[measure_named(measure).owning].dt.date.value_counts().sort_index(ascending=False)
    expected, rows = 0, 0
    for count in days:
        rows += count
        expected, rows = (expected + 1, 0) if rows >= at_once else (expected, rows)
    assert len(parts) == expected + (rows > 0)
    assert len(days) > 2
    assert to_csv(pd.concat(parts)) == to_csv(whole)


def test_stretches_give_the_same_rows_on_each_engine(new_store_url, tmp_path, monkeypatch):
    (tmp_path / "messages.csv").write_text(TINY_MESSAGES, encoding="utf-8")
    load(new_store_url, [LoadOrder(tmp_path / "messages.csv", "csv", mapping_of(TINY_MAPPING, "tiny"))])
    engine = open_reader(new_store_url)
    wanted = resolved(Filter(), read_status(engine, new_store_url))
    monkeypatch.setattr(conversations, "ROWS_AT_ONCE", 2)
    for measure in ("contacts", "first_responses", "complaints"):
        selection = Selection(wanted, measure)
        whole = selected_rows(engine, selection)
        assert len(whole) > 3
        assert "".join(csv_of_parts(selected_row_parts(engine, selection))) == to_csv(whole)
    engine.dispose()


def test_an_export_of_nothing_has_its_header(opened):
    nothing = Selection(data.scoped(Filter(channels=("forum",))), "contacts")
    assert "".join(csv_of_parts(selected_row_parts(opened.engine, nothing))) == to_csv(
        selected_rows(opened.engine, nothing)
    )


def test_parts_of_any_size_give_the_same_csv(opened):
    selection = Selection(data.scoped(Filter()), "contacts")
    whole = selected_rows(opened.engine, selection)
    assert len(whole) > 3
    assert "".join(csv_of_parts(whole.iloc[at : at + 1] for at in range(len(whole)))) == to_csv(whole)
    assert "".join(csv_of_parts(selected_row_parts(opened.engine, selection))) == to_csv(whole)

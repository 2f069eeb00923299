"""Long exports: a link that is signed, ends after minutes, and streams the rows of one selection as CSV.

A download button builds its whole file in memory; a million rows go past it, some thousand at a time. The
link holds what was asked for and what its viewer may see, so nobody can widen it; nobody can guess one.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import anyio
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from data_access.errors import FrontdoorError
from data_access.export import csv_of_parts
from data_access.filters import Filter
from data_access.measures import Selection
from pages.components import data

PATH = "/export/rows.csv"
LIFETIME_SECONDS = 15 * 60
_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@functools.cache
def _signer() -> URLSafeTimedSerializer:
    """A new secret with every start of the server: links do not survive it."""
    return URLSafeTimedSerializer(secrets.token_bytes(32), salt="export")


def link(selection: Selection, name: str) -> str:
    """Address of the CSV of a selection, within what its viewer may see; good for a quarter of an hour."""
    limited = data.scoped(selection.filter)
    wanted = {
        "params": selection.filter.to_params(),
        "measure": selection.measure,
        "cell": selection.cell,
        "teams": limited.scope_teams,
        "brands": limited.scope_brands,
        "version": data.status().version,
        "name": _NAME.sub("_", name),
    }
    return f"{PATH}?{urlencode({'token': _signer().dumps(wanted)})}"


async def export_rows(request: Request) -> Response:
    """Stream the rows that a signed link names; 403 for a link that is not ours, 410 for one that ended."""
    try:
        wanted = _signer().loads(request.query_params.get("token", ""), max_age=LIFETIME_SECONDS)
    except SignatureExpired:
        return _refused(410, "This link has ended. Reload the page and click again.")
    except BadSignature:
        return _refused(403, "This link is not one of this dashboard's. Open it from its page.")
    try:
        selection = _selection(wanted)
        scope = _scope(wanted, "teams"), _scope(wanted, "brands")
        # In a thread: a store that does not answer must not stop the server.
        parts = await anyio.to_thread.run_sync(data.row_parts, selection, int(wanted["version"]), *scope)
    except FrontdoorError as problem:
        return _refused(410, str(problem))
    headers = {
        "Content-Disposition": f'attachment; filename="{wanted["name"]}.csv"',
        "Cache-Control": "no-store",
        "Content-Encoding": "identity",  # packing a long stream would cost more time than reading it
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_encoded(csv_of_parts(parts)), media_type="text/csv; charset=utf-8", headers=headers)


def _selection(wanted: dict[str, Any]) -> Selection:
    params = {key: [value] if isinstance(value, str) else value for key, value in wanted["params"].items()}
    found, _ = Filter.from_params(params)
    return Selection(found, wanted["measure"], tuple((key, value) for key, value in wanted["cell"]))


def _scope(wanted: dict[str, Any], name: str) -> tuple[str, ...] | None:
    return None if wanted[name] is None else tuple(wanted[name])


def _encoded(texts: Iterator[str]) -> Iterator[bytes]:
    return (text.encode() for text in texts)


def _refused(status: int, reason: str) -> Response:
    return PlainTextResponse(reason, status_code=status, headers={"Cache-Control": "no-store"})

"""Entry: the dashboard as an ASGI application, started by `streamlit run app.py`."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pages.components.export_route import PATH as EXPORT_PATH
from pages.components.export_route import export_rows

MAIN = Path(__file__).resolve().parent / "pages" / "main.py"


async def healthz(_: Request) -> JSONResponse:
    """Alive: for a supervisor process; says nothing of the data."""
    return JSONResponse({"status": "ok"})


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Warm up, then freeze the start-up objects: a full collection after every rerun would walk them all."""
    from pages.components import charts, data  # noqa: F401, PLC0415  # caches want a running Streamlit

    await anyio.to_thread.run_sync(data.warm_up)
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


app = st.App(
    MAIN,
    lifespan=lifespan,
    routes=[Route("/healthz", healthz), Route(EXPORT_PATH, export_rows)],
    middleware=[Middleware(GZipMiddleware, minimum_size=1024)],
)

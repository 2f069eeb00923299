"""Entry: the dashboard as an ASGI application, started by `streamlit run app.py`."""

import gc
import importlib
import pkgutil
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

from pages import components
from pages.components.export_route import PATH as EXPORT_PATH
from pages.components.export_route import export_rows

FREEZE_SECONDS = 2
SETTLE_SECONDS = 300
MAIN = Path(__file__).resolve().parent / "pages" / "main.py"


async def healthz(_: Request) -> JSONResponse:
    """Alive: for a supervisor process; says nothing of the data."""
    return JSONResponse({"status": "ok"})


def settle() -> None:
    """Collect garbage once and thoroughly, then set aside what stays: modules, cached answers and charts.

    Streamlit runs a full collection after every rerun; it would walk all of them each time. This one takes the whole
    server 100 to 200 ms, so it comes rarely.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _import_pages() -> None:
    """Import what the first visitor of each page would wait for."""
    for module in pkgutil.iter_modules(components.__path__, f"{components.__name__}."):
        importlib.import_module(module.name)


async def _settle_again_and_again() -> None:
    """Set aside what reruns leave, every moment; the garbage among it, which is little after theirs, goes later."""
    while True:
        for _ in range(SETTLE_SECONDS // FREEZE_SECONDS):
            await anyio.sleep(FREEZE_SECONDS)
            gc.freeze()  # takes no time: nothing is looked at
        await anyio.to_thread.run_sync(settle)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Warm up and settle, and again and again as caches fill."""
    from pages.components import data  # noqa: PLC0415  # caches want a running Streamlit

    await anyio.to_thread.run_sync(_import_pages)
    await anyio.to_thread.run_sync(data.warm_up)
    settle()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_settle_again_and_again)
        yield
        tasks.cancel_scope.cancel()
    gc.unfreeze()


app = st.App(
    MAIN,
    lifespan=lifespan,
    routes=[Route("/healthz", healthz), Route(EXPORT_PATH, export_rows)],
    middleware=[Middleware(GZipMiddleware, minimum_size=1024)],
)

"""Take the pictures of the README from a running dashboard: `python scripts/take_screenshots.py URL`."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PAGES = {
    "overview": "/",
    "response-times": "/response_times",
    "ignored-complaints": "/ignored_complaints",
    "sentiment-trends": "/sentiment_trends",
    "joined-up": "/joined_up?period=all",
}
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def main() -> int:
    """One picture per page, 1280 by 800, as the first screen shows it."""
    url = sys.argv[1].rstrip("/")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for name, path in PAGES.items():
            page.goto(url + path)
            page.wait_for_selector(".js-plotly-plot", timeout=60_000)
            page.wait_for_timeout(4_000)
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

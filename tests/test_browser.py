"""The real server in a real browser: every page, a filter, a bar that is clicked, its rows, their CSV."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pages.components.navigation import PAGES

sync_api = pytest.importorskip("playwright.sync_api")
ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def server(demo_store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard on a free port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path_factory.mktemp("server") / "log").open("w+")
    env = {**os.environ, "FRONTDOOR_STORE": demo_store_url}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}"]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url + "/healthz", process, log)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)
        log.close()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Any) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            log.seek(0)
            pytest.fail(f"the server ended: {log.read()}")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                assert b"ok" in answer.read()
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} does not answer")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield found
        found.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(30_000)
    asked: list[str] = []
    failed: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("pageerror", lambda problem: failed.append(str(problem)))
    yield opened
    assert failed == []
    outside = [url for url in asked if not re.match(r"(https?|wss?)://127\.0\.0\.1[:/]|data:|blob:", url)]
    assert outside == []
    context.close()


def open_page(page: Any, url: str) -> None:
    page.goto(url)
    settled(page)


def settled(page: Any) -> None:
    """Wait until the script has run and its last element is drawn."""
    page.get_by_role("heading", level=1).wait_for()
    idle = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    calm = 0
    while calm < 4:  # a rerun may follow at once, on a slow machine a little later
        idle.wait_for()
        page.wait_for_timeout(200)
        calm = calm + 1 if idle.count() else 0
    assert page.locator("[data-testid=stException]").count() == 0


def choose(page: Any, key: str, option: str, url: str) -> None:
    """Choose an option of a select box; again where a rerun on a slow machine closed the list meanwhile."""
    for attempt in range(3):
        page.locator(f".st-key-{key} input").click()
        try:
            page.get_by_role("option", name=option).click(timeout=8_000)
            page.wait_for_url(url, timeout=8_000)
            return
        except sync_api.TimeoutError:
            if attempt == 2:
                raise
            page.keyboard.press("Escape")
            settled(page)


def click_first_bar(page: Any, chart: str) -> None:
    bar = page.locator(f".st-key-panel_{chart} .bars .point path").first
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_cold_by_its_own_link(server: str, page: Any, name: str) -> None:
    open_page(page, f"{server}/{'' if name == 'overview' else name}")
    assert page.get_by_role("heading", level=1).inner_text() == PAGES[name][1]
    assert page.get_by_text("Simulated company").is_visible()


def test_a_filter_survives_a_change_of_page_a_reload_and_sharing(server: str, page: Any, browser: Any) -> None:
    open_page(page, server)
    choose(page, "f_channel", "Facebook", "**channel=facebook**")
    page.keyboard.press("Escape")
    settled(page)
    page.get_by_role("link", name="Ignored complaints", exact=True).click()
    page.wait_for_url("**/ignored_complaints?**channel=facebook**")
    settled(page)
    page.reload()
    settled(page)
    assert "channel Facebook" in page.locator("[data-testid=stMain]").inner_text()
    stranger = browser.new_context().new_page()
    open_page(stranger, page.url)
    assert "channel Facebook" in stranger.locator("[data-testid=stMain]").inner_text()
    stranger.context.close()


def test_back_and_forward_move_the_filter(server: str, page: Any) -> None:
    open_page(page, f"{server}/response_times")
    choose(page, "f_grain", "Month", "**grain=month**")
    settled(page)
    page.go_back()
    page.wait_for_url(lambda url: "grain" not in url)
    settled(page)
    assert page.locator(".st-key-f_grain input").input_value() in ("", "Week")
    assert "grain" not in page.url


def test_a_clicked_bar_opens_its_rows_and_their_csv_has_as_many(server: str, page: Any, tmp_path: Path) -> None:
    open_page(page, f"{server}/ignored_complaints?period=all")
    click_first_bar(page, "ignored_by_team")
    page.wait_for_url("**/conversations?**measure=complaints_ignored_in_time**")
    settled(page)
    heading = page.get_by_role("heading", level=3).first.inner_text()
    number = int(re.match(r"[\d,]+", heading)[0].replace(",", ""))  # type: ignore[index]
    assert number > 0
    with page.expect_download() as started:
        page.get_by_role("button", name=re.compile("CSV of all")).click()
    file = tmp_path / "rows.csv"
    started.value.save_as(file)
    with file.open(newline="", encoding="utf-8") as lines:
        assert sum(1 for _ in csv.reader(lines)) == number + 1
    page.get_by_role("link", name="Back to Ignored complaints").click()
    page.wait_for_url("**/ignored_complaints?period=all**")


def test_the_link_of_a_card_opens_as_many_rows_as_the_card_says(server: str, page: Any) -> None:
    open_page(page, f"{server}/ignored_complaints?period=all")
    link = page.locator(".st-key-card_complaints_ignored_ignored_count").get_by_role("link").first
    said = link.inner_text().split()[-2]
    link.click()
    page.wait_for_url("**measure=complaints_ignored**")
    settled(page)
    assert page.get_by_role("heading", level=3).first.inner_text().startswith(f"{said} ")


def test_a_row_opens_its_conversation_as_a_timeline(server: str, page: Any) -> None:
    open_page(page, f"{server}/conversations?measure=complaints_ignored")
    table = page.locator("[data-testid=stDataFrame]").first
    box = table.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 48)
    page.wait_for_url("**conversation=**")
    settled(page)
    assert "Opened" in page.locator("[data-testid=stMain]").inner_text()
    assert page.get_by_text(re.compile("Customer, .*complaint")).first.is_visible()


def test_a_link_to_the_same_page_takes_its_address_along_and_the_tick_away(server: str, page: Any) -> None:
    open_page(page, f"{server}/conversations?measure=complaints_ignored")
    table, ticked = page.locator("[data-testid=stDataFrame]").first, page.locator("tr[aria-selected=true]")
    others = page.locator("[data-testid=stMain]").get_by_role("link", name=re.compile("(before|after): "))
    for row in range(8):  # the first customer with another conversation
        box = table.bounding_box()
        page.mouse.click(box["x"] + 16, box["y"] + 48 + 35 * row)
        page.wait_for_url("**conversation=**")
        settled(page)
        assert ticked.count() == 1
        if others.count():
            break
    address, wanted = page.url, others.first.get_attribute("href")
    others.first.click()
    page.wait_for_url(f"**{wanted}")
    settled(page)
    assert ticked.count() == 0  # the row that was chosen is not the conversation that is shown
    page.get_by_text("Table and CSV").first.click()  # a rerun does not go back
    settled(page)
    assert page.url.endswith(wanted)
    page.go_back()
    settled(page)
    assert page.url == address
    page.get_by_role("link", name="All conversations of this filter").click()
    page.wait_for_url("**/conversations")
    settled(page)


def test_a_list_is_read_one_conversation_after_the_other_also_from_the_oldest_on(server: str, page: Any) -> None:
    def opened() -> str:
        settled(page)
        found = re.search(r"conversation=(\w+)", page.url)
        assert found is not None
        return found[1]

    open_page(page, f"{server}/conversations?measure=complaints_ignored&back=ignored_complaints")
    page.get_by_role("radio", name="Oldest first").click()
    page.wait_for_url("**rows_order=oldest**")
    settled(page)
    assert "oldest first" in page.locator("[data-testid=stMain]").inner_text()
    box = page.locator("[data-testid=stDataFrame]").first.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 48)
    page.wait_for_url("**conversation=**")
    first = opened()
    assert page.get_by_role("link", name="Previous in the list").count() == 0
    page.get_by_role("link", name="Next in the list").click()
    page.wait_for_url(lambda url: first not in url)
    second = opened()
    assert page.locator("tr[aria-selected=true]").count() == 0
    page.get_by_role("link", name="Next in the list").click()
    page.wait_for_url(lambda url: second not in url)
    assert opened() not in (first, second)
    page.get_by_role("link", name="Previous in the list").click()
    page.wait_for_url(f"**{second}**")
    assert opened() == second
    assert page.get_by_role("link", name="Back to Ignored complaints").count() == 1


def test_an_open_conversation_stays_open_when_the_filter_changes(server: str, page: Any) -> None:
    open_page(page, f"{server}/conversations?measure=complaints&period=all")
    box = page.locator("[data-testid=stDataFrame]").first.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 48 + 70)
    page.wait_for_url("**conversation=**")
    settled(page)
    opened = re.search(r"conversation=\w+", page.url)
    choose(page, "f_grain", "Month", "**grain=month**")
    settled(page)
    assert opened is not None
    assert opened[0] in page.url
    assert page.locator("tr[aria-selected=true]").count() == 0


def test_what_was_chosen_on_a_page_is_still_chosen_on_coming_back(server: str, page: Any) -> None:
    open_page(page, f"{server}/joined_up?period=all")
    page.get_by_role("radio", name="14 days").click()
    settled(page)
    page.get_by_role("radio", name="Any topic").click()
    settled(page)
    page.locator(".st-key-card_back_door_back_door_share").get_by_role("link").first.click()
    page.wait_for_url("**within_days%3D14**")
    settled(page)
    page.get_by_role("link", name="Back to Joined-up service").click()
    page.wait_for_url("**/joined_up?**within_days=14**")
    settled(page)
    assert chosen(page)[:2] == ["14 days", "Any topic"]


def chosen(page: Any) -> list[str]:
    return list(page.locator("[role=radio][aria-checked=true]").all_inner_texts())


def test_what_was_chosen_on_a_page_stands_in_the_address(server: str, page: Any, browser: Any) -> None:
    open_page(page, f"{server}/joined_up?period=all&within_days=14")
    assert chosen(page)[:2] == ["14 days", "Same or unknown topic"]
    page.get_by_role("radio", name="Any topic").click()
    page.wait_for_url("**repeat_topic=any**")
    settled(page)
    stranger = browser.new_context().new_page()
    open_page(stranger, page.url)
    assert chosen(stranger)[:2] == ["14 days", "Any topic"]
    stranger.context.close()
    page.reload()
    settled(page)
    assert chosen(page)[:2] == ["14 days", "Any topic"]
    page.get_by_role("radio", name="7 days").click()
    page.wait_for_url(lambda url: "within_days" not in url and "repeat_topic=any" in url)
    settled(page)
    page.go_back()
    page.wait_for_url("**within_days=14**")
    settled(page)
    assert chosen(page)[:2] == ["14 days", "Any topic"]
    choose(page, "f_channel", "Facebook", "**channel=facebook**")
    assert "within_days=14" in page.url


def test_a_filter_that_matches_nothing_is_left_by_its_link_for_good(server: str, page: Any) -> None:
    open_page(page, f"{server}/ignored_complaints?from=2020-01-01&to=2020-02-01&channel=facebook")
    page.get_by_role("link", name="Show everything").click()
    page.wait_for_url("**/ignored_complaints?period=all")
    settled(page)
    page.get_by_role("radio", name="Customer").click()
    settled(page)
    assert page.url.endswith("/ignored_complaints?period=all&rate_unit=customer")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_their_screen_in_light_and_dark(
    server: str, browser: Any, size: tuple[int, int], scheme: str
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    opened = context.new_page()
    for name in ("response_times", "ignored_complaints"):
        open_page(opened, f"{server}/{name}")
        wide = opened.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= size[0] + 1
        if size[0] > 1000:
            opened.wait_for_function(
                """limit => {
                    const chart = document.querySelector('[data-testid=stPlotlyChart]');
                    return chart && chart.getBoundingClientRect().bottom <= limit;
                }""",
                arg=size[1] + 40,
            )
    context.close()


def open_first_cell(page: Any, chart: str, url: str) -> None:
    """Click the first cell of a heat map; again where a rerun on a slow machine moved it meanwhile."""
    mark = page.locator(f".st-key-panel_{chart} .scatterlayer .points path").first
    for attempt in range(3):
        mark.scroll_into_view_if_needed()
        box = mark.bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        try:
            page.wait_for_url(url, timeout=10_000)
            return
        except sync_api.TimeoutError:
            if attempt == 2:
                raise
            settled(page)


@pytest.mark.parametrize(
    ("path", "chart", "measure"),
    [
        ("channel_mix", "channel_index", "contacts"),
        ("ignored_complaints", "hours", "complaints"),
        ("sentiment_trends", "said_on_about", "blaming"),
    ],
)
def test_a_clicked_cell_of_a_heat_map_opens_its_rows(
    server: str, page: Any, path: str, chart: str, measure: str
) -> None:
    open_page(page, f"{server}/{path}?period=all")
    open_first_cell(page, chart, f"**/conversations?**measure={measure}&cell=**")
    settled(page)
    heading = page.get_by_role("heading", level=3).first.inner_text()
    assert int(re.match(r"[\d,]+", heading)[0].replace(",", "")) > 0  # type: ignore[index]


@pytest.mark.parametrize(
    ("path", "chart", "measure"),
    [("channel_mix", "channel_mix", "contacts"), ("ignored_complaints", "states_by_channel", "complaints")],
)
def test_a_clicked_bar_with_a_number_on_it_opens_its_rows(
    server: str, page: Any, path: str, chart: str, measure: str
) -> None:
    open_page(page, f"{server}/{path}?period=all")
    number = page.locator(f".st-key-panel_{chart} .bars .point text").filter(has_text=re.compile(r"\d")).first
    number.scroll_into_view_if_needed()
    box = number.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**/conversations?**measure={measure}**cell=**")


def test_the_card_of_rejected_rows_goes_to_their_table(server: str, page: Any) -> None:
    open_page(page, f"{server}/data")
    page.locator(".st-key-card__rejected_count").get_by_role("link").click()
    page.wait_for_url("**/data#rejected-rows")
    page.wait_for_function(
        "document.getElementById('rejected-rows').getBoundingClientRect().top < innerHeight", timeout=8_000
    )

"""MLflow's page in a headless browser: what the screenshots and the tests do there.

The browser is the machine's Chromium, driven by Playwright. Every wait is for something that the
page must show.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Literal

from playwright.sync_api import FrameLocator, Locator, Page, expect, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
"""Names under which a Chromium is looked for."""

START_S = 180
"""Seconds within which MLflow's server must answer; 10 on a quiet machine."""

WAIT_MS = 90_000
"""Milliseconds within which the page must show what is waited for, on a busy machine too."""


class UnavailableError(Exception):
    """A program that the page cannot be shown without."""


def chromium() -> str:
    """Returns the path of the machine's Chromium.

    Raises:
        UnavailableError: if there is none.
    """
    for name in PROGRAMS:
        if path := shutil.which(name):
            return path
    raise UnavailableError(f"there is no {', '.join(PROGRAMS)}: on Debian, apt install chromium")


@contextmanager
def server(uri: str) -> Iterator[str]:
    """Runs ``mlflow ui`` on a tracking URI at a free port; yields its address, ends it after."""
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
    with running(command) as address:
        yield address


@contextmanager
def running(command: Sequence[str]) -> Iterator[str]:
    """Runs a command of ``mlflow ui`` at a free port; yields its address, ends it after."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "DO_NOT_TRACK": "true"}
    process = subprocess.Popen(
        [*command, "--port", str(port), "--workers", "1"],
        env={**os.environ, **quiet},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Its workers are processes too, and end with it.
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await_server(process, address)
        yield address
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def browser(
    width: int = 1400, height: int = 900, scale: float = 1, login: tuple[str, str] | None = None
) -> Iterator[Page]:
    """Yields an empty page of a headless Chromium; sizes in CSS pixels, ``scale`` device pixels.

    A server that asks for a login is given the user and the password of ``login``.
    """
    credentials = {"username": login[0], "password": login[1]} if login else None
    path = chromium()
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=path)
        context = program.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            http_credentials=credentials,
        )
        context.set_default_timeout(WAIT_MS)
        expect.set_options(timeout=WAIT_MS)
        yield context.new_page()
        program.close()


def open_study(page: Page, address: str, study: str) -> None:
    """Goes from the list of experiments to the table of a study's runs."""
    page.goto(f"{address}/#/experiments")
    # What MLflow shows first is meant for language models.
    page.get_by_text("Model training", exact=True).click()
    page.get_by_role("link", name=study, exact=True).click()
    row(page, study).wait_for()
    page.get_by_role("button", name="Close").last.click()  # Of the assistant at the right.


def open_view(page: Page, name: str) -> None:
    """Chooses a saved view of the table's runs."""
    page.get_by_test_id("saved-views-trigger").click()
    page.get_by_role("menuitem", name=name).click()
    expect(page.get_by_test_id("saved-views-trigger")).to_contain_text(name)


def show(page: Page, mode: Literal["TABLE", "CHART"]) -> None:
    """Presses the button for the table, or the one for the charts, beside the search field."""
    page.locator("label", has=page.locator(f"input[value={mode}]")).click()


def row(page: Page, run: str) -> Locator:
    """Returns the row of a run in the table, by the run's whole name."""
    return page.locator(".ag-row", has=page.get_by_role("link", name=run, exact=True))


def trials(page: Page) -> list[str]:
    """Returns the names of the trials that the table shows, by their numbers."""
    links = page.locator(".ag-row a", has_text=re.compile(r"^\d+ "))
    links.first.wait_for()
    return sorted(links.all_inner_texts())


def card(page: Page, x: str) -> Locator:
    """Returns the charts whose x axis has this title, each with its frame, once they are drawn."""
    title = page.locator(".xtitle", has_text=re.compile(f"^{re.escape(x)}$"))
    return page.get_by_test_id("experiment-view-compare-runs-card").filter(has=title)


def compare(page: Page, runs: Sequence[str]) -> None:
    """Selects runs of the table and goes to the page that compares them."""
    for run in runs:
        row(page, run).locator("input[type=checkbox]").first.check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_text(f"Comparing {len(runs)} Runs").wait_for()


def points(page: Page, x: str, run: str) -> list[tuple[float, float]]:
    """Returns what a chart has drawn of a run: values of the metric ``x`` and of the chart's own.

    They lie from left to right; a chart's first metric is taken.
    """
    card(page, x).locator(".lines path").first.wait_for(state="attached")
    line = card(page, x).first.locator(".js-plotly-plot")
    drawn = line.evaluate(
        "(plot, run) => plot.data.filter(line => line.name === run)"
        ".map(line => Array.from(line.x, (x, i) => [x, line.y[i]]))",
        run,
    )
    return [tuple(point) for point in drawn[0]]


def compared(page: Page, name: str) -> list[str]:
    """Returns the compared runs' values of one line of the table: of a parameter or their names."""
    line = page.locator("tr", has=page.get_by_text(name, exact=True)).first
    return [text.strip() for text in line.locator("td").all_inner_texts()]


def open_report(page: Page, address: str, study: str) -> FrameLocator:
    """Goes to the report among the artifacts of the study's run; returns its frame."""
    open_study(page, address, study)
    row(page, study).get_by_role("link", name=study).click()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_text("report.html", exact=True).first.click()
    return page.frame_locator("iframe")


def _await_server(process: subprocess.Popen[bytes], address: str) -> None:
    last = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
        except (urllib.error.URLError, TimeoutError):
            if process.poll() is not None or time.monotonic() > last:
                raise UnavailableError(f"MLflow's server did not start at {address}") from None
            time.sleep(0.2)
        else:
            return

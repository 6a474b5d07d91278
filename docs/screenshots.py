"""Makes the pictures of docs/mlflow.md from a finished study, as MLflow's page shows it.

    python docs/screenshots.py sqlite:///mlflow.db my-study docs/figures

It starts ``mlflow ui`` at a free port and drives the machine's Chromium; both end with it.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, expect

sys.path.insert(0, str(Path(__file__).parent.parent))
from docs import mlflow_page

WIDTH, HEIGHT = 1200, 900
"""Size of the page in CSS pixels."""

LEFT = 198
"""Width of the menu at the left, which no picture shows."""

COLOURS = 128
"""Colours of a picture, for a third of the bytes; only a colour bar shows it."""


def shoot(page: Page, address: str, study: str, folder: Path) -> list[Path]:
    """Walks through a study as docs/mlflow.md does.

    Args:
        page: an empty page of a fresh browser.
        address: of MLflow's server.
        study: its name; it must have controls and two trials.
        folder: where the pictures go.

    Returns:
        The pictures, in the order of the walk.
    """
    pictures: list[Path] = []

    def picture(name: str) -> None:
        pictures.append(_picture(page, folder / f"mlflow-{name}.png"))

    mlflow_page.open_study(page, address, study)
    mlflow_page.open_view(page, "Factors")
    mlflow_page.trials(page)  # They come a while after the view.
    picture("trials")
    mlflow_page.show(page, "CHART")
    expect(page.locator(".scatterlayer")).not_to_have_count(0)
    expect(page.locator(".parcoords")).not_to_have_count(0)
    picture("factors")
    mlflow_page.open_view(page, "Ticket and controls")
    mlflow_page.show(page, "CHART")
    expect(mlflow_page.card(page, "density").locator(".lines path")).not_to_have_count(0)
    expect(mlflow_page.card(page, "log10_density").locator(".lines path")).not_to_have_count(0)
    picture("controls")
    mlflow_page.open_view(page, "Accuracy against density")
    mlflow_page.compare(page, mlflow_page.trials(page)[-4:])
    picture("compare")
    return pictures


def shoot_report(page: Page, address: str, study: str, folder: Path) -> Path:
    """Opens the report in MLflow's viewer, in a fresh browser, and returns its picture."""
    frame = mlflow_page.open_report(page, address, study)
    frame.locator("h1").wait_for()
    # The path of the file on the machine that took the picture.
    return _picture(page, folder / "mlflow-report.png", [page.get_by_text("Path:").locator("..")])


def _picture(page: Page, path: Path, hidden: Sequence[Locator] = ()) -> Path:
    page.mouse.move(0, 0)  # Nothing is pointed at.
    clip: FloatRect = {"x": LEFT, "y": 0, "width": WIDTH - LEFT, "height": HEIGHT}
    shot = page.screenshot(clip=clip, mask=hidden, mask_color="#ffffff")
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    return path


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("uri", help="tracking URI, e.g. sqlite:///mlflow.db")
    parser.add_argument("study", help="name of a finished study")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    flags = parser.parse_args()
    try:
        with mlflow_page.server(flags.uri) as address:
            with mlflow_page.browser(WIDTH, HEIGHT) as page:
                paths = shoot(page, address, flags.study, flags.folder)
            with mlflow_page.browser(WIDTH, HEIGHT) as page:
                paths.append(shoot_report(page, address, flags.study, flags.folder))
    except mlflow_page.UnavailableError as error:
        print(f"screenshots: error: {error}", file=sys.stderr)
        return 2
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the tests of the report share."""

import pytest

from analysis.figures import canvas


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the drawings of a page empty: to lay them out takes half of the time of a report.

    For tests of the words and the tables alone. The figures are still made, with their CSVs.
    """
    monkeypatch.setattr(canvas, "svg", lambda drawing: f'<svg id="{drawing.name}"></svg>')

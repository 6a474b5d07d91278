"""What all figures share: paper, type, marks, and how they are written.

A figure is drawn with matplotlib's objects on its own canvas, never through pyplot, and written as
SVG whose bytes depend on nothing but the table behind it.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from analysis.figures import palette
from lttune.errors import legible
from lttune.records.spreadsheet import save_csv
from lttune.store.files import write_atomically

STYLE: dict[Any, Any] = {
    "font.size": 11,
    "font.sans-serif": ["DejaVu Sans", "Verdana"],  # Every text of a figure names them all.
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,  # A tick is read alone.
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": palette.GRID_LINES,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.handlelength": 3.4,  # Two dashes of the longest kind.
    "svg.fonttype": "none",
}


FIGURE_WIDTH = 6.4
"""Inches of every figure. On a phone it is four inches wide: its letters are legible there, and
nothing of it is cut off."""

TITLE_WIDTH, NOTE_WIDTH = 56, 88
"""Characters of a line over a figure: of its title, and of what is smaller."""

TEXT_WIDTH = 440
"""Points that lines below a figure may take."""


LONGEST_TEXT, LONGEST_LINE, LONGEST_TICK = 600, 70, 60
"""Characters of a text of a figure, of one that nothing wraps, and of a label at a tick: of names
without end the rest is cut, which no figure has room for."""

FORBIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters and what else XML has no place for: a page would not show the figure."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure of the report with the table it shows."""

    name: str
    """Stem of its files."""
    title: str
    """What it shows, as a heading."""
    figure: Figure
    """The drawn figure."""
    table: pd.DataFrame
    """Every number that was drawn."""


@contextmanager
def style() -> Iterator[None]:
    """Draws and writes in the house style; matplotlib's own settings come back afterwards."""
    with mpl.rc_context(STYLE), _other_fonts():
        yield


@contextmanager
def _other_fonts() -> Iterator[None]:
    """Keeps off the screen that matplotlib's font lacks a character: whoever shows it has one."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"(?s)Glyph \d+ ", UserWarning)
        yield


def new_figure(title: str, subtitle: str, incomplete: str, height: float = 5.0) -> Figure:
    """Returns an empty figure with its heading and, for an unfinished study, the mark that says so.

    Text from a study is never read as mathematics: a ``$`` in a name stays one.
    """
    titles = textwrap.wrap(_cut(title), TITLE_WIDTH) or [""]
    notes = textwrap.wrap(_cut(subtitle), NOTE_WIDTH) or [""]
    # Inches down to the subtitle, to the mark, and to what is drawn.
    below = 0.36 + 0.22 * (len(titles) - 1)
    marked = below + 0.32 + 0.17 * (len(notes) - 1)
    top = marked + (0.27 if incomplete else -0.06)
    height += below - 0.36 + 0.17 * (len(notes) - 1)
    figure = Figure(figsize=(FIGURE_WIDTH, height), layout="constrained", facecolor=palette.PAPER)
    FigureCanvasSVG(figure)
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.set(rect=(0.01, 0.01, 0.98, 0.98 - top / height))  # type: ignore[call-arg]
    y = 1 - 0.10 / height
    text = "\n".join(titles)
    figure.text(0.015, y, text, size=13, weight="bold", va="top", parse_math=False)
    y, text = 1 - below / height, "\n".join(notes)
    figure.text(0.015, y, text, size=10, color=palette.DARK, va="top", parse_math=False)
    if incomplete:
        box = {"boxstyle": "square,pad=0.3", "facecolor": palette.PAPER, "edgecolor": palette.ALARM}
        y = 1 - marked / height
        mark = {"size": 10, "weight": "bold", "color": palette.ALARM, "bbox": box}
        figure.text(0.022, y, incomplete.upper(), va="top", **mark)
    return figure


def note_empty(ax: Axes, text: str) -> None:
    """Writes in the middle of the axes why they are empty."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color=palette.GREY)


def panel_title(ax: Axes, text: str, *, size: float, across: int = 1, **look: Any) -> None:
    """Writes what a panel shows over it, in lines that end before the panel beside it.

    ``size`` is in points, ``across`` is how many panels stand side by side.
    """
    most = int((TEXT_WIDTH / across - 35 * (across - 1)) / (0.52 * size))
    lines = [textwrap.fill(line, most) for line in _cut(text).splitlines()]
    ax.set_title("\n".join(lines), size=size, loc="left", parse_math=False, **look)


def legend_below(figure: Figure, columns: int, ax: Axes | None = None) -> None:
    """Puts the legend of some axes, or else of the first, under the figure: it hides no curve.

    There are as many columns as the longest name leaves room for, at most ``columns``.
    """
    handles, labels = (ax or figure.axes[0]).get_legend_handles_labels()
    if handles:
        longest = max(len(line) for label in labels for line in str(label).splitlines() or [""])
        room = max(int(TEXT_WIDTH / (5.2 * longest + 48)), 1)
        place = {"loc": "outside lower center", "ncols": min(columns, room)}
        for text in figure.legend(handles, labels, **place).get_texts():
            text.set_parse_math(False)  # A study's names may hold anything.


LEGEND_WIDTH = 70
"""Characters after which a name in a legend goes on in another line."""


def in_lines(text: str) -> str:
    """Returns a name as a legend has it: in lines."""
    return textwrap.fill(_cut(text), LEGEND_WIDTH)


def tick_names(names: Iterable[str]) -> list[str]:
    """Returns names as ticks have them: so short that a figure has room for them."""
    return [_cut(name, LONGEST_TICK) for name in names]


def _cut(text: str, most: int = LONGEST_TEXT) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _cut_texts(figure: Figure) -> None:
    """Cuts what is too long to be laid out, and reads no text of a study as mathematics."""
    legends = [*figure.legends, *filter(None, (ax.get_legend() for ax in figure.axes))]
    texts = [text for one in legends for text in (*one.get_texts(), one.get_title())]
    for text in texts:
        text.set(text=_cut(text.get_text()), parse_math=False)
    unwrapped = [text for ax in figure.axes for text in (ax.xaxis.label, ax.yaxis.label, *ax.texts)]
    for text in unwrapped:
        lines = _cut(text.get_text()).split("\n")
        text.set(text="\n".join(_cut(line, LONGEST_LINE) for line in lines), parse_math=False)


def settle(figure: Figure) -> None:
    """Lays the figure out once and for all, on round positions.

    The layout's solver walks its constraints in the order of their addresses in memory, so its
    last digits differ from run to run, and with them the bytes of the file.
    """
    _cut_texts(figure)
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    figure.set_layout_engine("none")
    for ax in figure.axes:
        ax.set_position(Bbox(ax.get_position(original=True).get_points().round(4)))


def svg(drawing: Drawing) -> str:
    """Returns the figure as an SVG element that can stand in a page beside others.

    Its ids carry the drawing's name, so that no two figures of a page share one.
    """
    buffer = io.StringIO()
    # No metadata: a date would change the bytes, the rest names addresses that nothing needs.
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({**STYLE, "svg.hashsalt": drawing.name}), _other_fonts():
        settle(drawing.figure)
        # Not savefig, which draws twice to lay out what is settled.
        FigureCanvasSVG(drawing.figure).print_svg(buffer, metadata=nothing)
    text = FORBIDDEN.sub(lambda found: legible(found[0]), buffer.getvalue())
    text = text[text.index("<svg") :]
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{drawing.name}-", _shortened(text))
    return text.replace("<svg ", f'<svg role="img" aria-labelledby="{drawing.name}-title" ', 1)


SVG_TAG = re.compile(r"<[^<>]*>")
SVG_PLACES = re.compile(r' (?:d|x|y|transform)="[^"]*"')
"""Attributes that hold coordinates, in points."""


def _shortened(text: str) -> str:
    """Returns an SVG without what nobody sees: it becomes a quarter shorter, and so does the page.

    Of coordinates a hundredth of a point is kept, of ids those that something refers to. What is
    written in the figure stays as it is.
    """
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))

    def rounded(places: re.Match[str]) -> str:
        return re.sub(r"(\.\d\d)\d+", r"\1", places[0])

    def needed(name: re.Match[str]) -> str:
        return name[0] if name[1] in used else ""

    def tag(found: re.Match[str]) -> str:
        return re.sub(r' id="([^"]*)"', needed, SVG_PLACES.sub(rounded, found[0]))

    return re.sub(r">\s+<", ">\n<", SVG_TAG.sub(tag, text))


def write(drawing: Drawing, folder: Path) -> str:
    """Writes ``NAME.svg`` and ``NAME.csv`` into a folder and returns the SVG."""
    text = svg(drawing)
    with write_atomically(folder / f"{drawing.name}.svg") as path:
        path.write_text(text, encoding="utf-8")
    with write_atomically(folder / f"{drawing.name}.csv") as path:
        save_csv(drawing.table, path)
    return text

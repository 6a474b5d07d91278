"""Paper and axes of figures: nothing is cut off, both ends are labelled, files are short."""

import itertools
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from analysis.figures import axes, canvas
from analysis.figures.canvas import Drawing
from lttune.errors import legible

LONG = "Gain at 21.0 % of the weights over train.lr and prune.fractions.fc1, of all trials"
TEXT = '$0.123456$ x="0.123456" &<b>'


def drawing(title="a title", subtitle="", incomplete="", draw=lambda ax: ax.plot([1, 2, 3])):
    with canvas.style():
        figure = canvas.new_figure(title, subtitle, incomplete)
        draw(figure.subplots())
    return Drawing(name="one", title=title, figure=figure, table=pd.DataFrame())


@pytest.mark.parametrize("incomplete", ["", "incomplete: 1 of 2 trials"])
def test_a_long_heading_goes_on_in_another_line(incomplete):
    found = drawing(LONG, LONG + LONG, incomplete)
    canvas.settle(found.figure)
    width, height = found.figure.get_size_inches()
    assert width == canvas.FIGURE_WIDTH
    assert height > drawing("short").figure.get_size_inches()[1]
    texts = found.figure.texts
    assert texts[0].get_text().replace("\n", " ") == LONG
    boxes = [text.get_window_extent() for text in texts]
    assert max(box.x1 for box in boxes) <= width * found.figure.dpi
    # One below the other, and the axes below them all.
    tops = [box.y1 for box in boxes]
    assert tops == sorted(tops, reverse=True)
    assert all(lower.y1 <= upper.y0 + 2 for upper, lower in itertools.pairwise(boxes))
    assert found.figure.axes[0].get_tightbbox().y1 <= boxes[-1].y0


def test_a_legend_has_as_many_columns_as_there_is_room_for():
    def draw(ax):
        for label in ("a" * 50, "b"):
            ax.plot([1, 2], label=label)

    found = drawing(draw=draw)
    canvas.legend_below(found.figure, columns=3)
    (legend,) = found.figure.legends
    assert legend._ncols == 1
    short = drawing(draw=lambda ax: [ax.plot([1, 2], label=name) for name in "abc"])
    canvas.legend_below(short.figure, columns=3)
    assert short.figure.legends[0]._ncols == 3
    for one in (found, short):
        canvas.settle(one.figure)
        box = one.figure.legends[0].get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= canvas.FIGURE_WIDTH * one.figure.dpi


def test_a_file_has_no_digit_and_no_id_too_many():
    found = drawing(TEXT, draw=lambda ax: ax.plot(np.linspace(0, 1, 50) ** 2, color="#0072b2"))
    text = canvas.svg(found)
    places = re.findall(r'<[^<>]* (?:d|x|y|transform)="([^"]*)"', text)
    assert len(places) > 20
    assert [place for place in places if re.search(r"\.\d{3}", place)] == []
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    assert used == set(re.findall(r' id="([^"]*)"', text))
    assert len(used) > 2
    # What is written stays as it is.
    assert '>$0.123456$ x="0.123456" &amp;&lt;b&gt;<' in text
    assert "#0072b2" in text


@pytest.mark.parametrize(
    ("low", "high", "options"),
    [
        (0, 1, {}),
        (16, 256, {"is_log": True, "is_integer": True}),
        (1e-4, 1e-2, {"is_log": True}),
        (0.05, 0.0501, {}),
        (97.3, 98.1, {"apart": 0.2}),
    ],
)
def test_both_ends_of_an_axis_are_labelled(low, high, options):
    ticks = axes.tick_values(low, high, **options)
    assert (ticks[0], ticks[-1]) == (low, high)
    assert len(ticks) > 2
    assert ticks == sorted(ticks)


def test_both_ends_of_densities_are_labelled():
    for count in (1, 2, 5, 9, 16, 21, 24):
        percent = pd.Series([100 * 0.8**k for k in range(count)])
        with canvas.style():
            ax = canvas.new_figure("", "", "").subplots()
            axes.density_axis(ax, percent, most=5)
        ticks = ax.get_xticks()
        assert (ticks[0], ticks[-1]) == (percent.iloc[0], percent.iloc[-1])
        assert len(ticks) == min(count, 5)


def test_an_axis_of_one_number_is_labelled():
    with canvas.style():
        ax = canvas.new_figure("", "", "").subplots()
        axes.numeric_axis(ax, pd.Series([0.1, 0.1]), {"log": True})
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.1"]


def test_names_of_a_study_are_no_mathematics_in_a_legend(tmp_path):
    names = [r"a$\frac$", "x$y$z", canvas.in_lines(r"b$\nothing$")]
    found = drawing(draw=lambda ax: [ax.plot([1, 2], label=name) for name in names])
    canvas.legend_below(found.figure, columns=3)
    canvas.settle(found.figure)
    assert [text.get_text() for text in found.figure.legends[0].get_texts()] == names


def written_everywhere(text, *, beside):
    """Draws a text wherever a figure has one of a study's: ``beside`` curves or a colour bar."""
    found = drawing(text, text)
    with canvas.style():
        ax = found.figure.axes[0]
        ax.plot([1, 2, 3], label=canvas.in_lines(text))
        ax.plot([3, 2, 1], label=text)
        ax.set_xlabel(text)
        ax.set_ylabel(text)
        canvas.panel_title(ax, text, size=9)
        canvas.note_empty(ax, text)
        if beside == "curves":
            ax.annotate(text, (1.01, 1), fontsize=8.5, annotation_clip=False)
        else:
            ax.set_xticks([0, 1], canvas.tick_names([text, text]), parse_math=False)
            points = ax.scatter([1, 2], [1, 2], c=[1, 2])
            found.figure.colorbar(points, ax=ax, label=text)
        canvas.legend_below(found.figure, columns=2)
    return found


@pytest.mark.parametrize("beside", ["curves", "points"])
@pytest.mark.parametrize("text", ["a\x1b]0;x\x07b\0\x01\x9f\ufffe", "\u7814\u7a76", r"$\frac$"])
def test_any_text_is_a_whole_figure_without_a_word_on_the_screen(text, beside, recwarn):
    svg = canvas.svg(written_everywhere(text, beside=beside))
    assert svg.encode()
    said = "".join(ElementTree.fromstring(svg).itertext())
    assert said.count(legible(text)) == {"curves": 9, "points": 11}[beside]
    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize("beside", ["curves", "points"])
def test_a_text_without_end_is_cut_wherever_it_stands(beside, recwarn):
    svg = canvas.svg(written_everywhere("x" * 1_000_000, beside=beside))
    assert len(svg) < 100_000
    assert svg.count("…") == {"curves": 9, "points": 11}[beside]
    assert [str(one.message) for one in recwarn] == []


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1024, 3, "1024"),
        (60_000, 3, "60000"),
        (0.00123456, 3, "0.00123"),
        (98.375, 4, "98.38"),
        (-1024.5, 3, "-1024"),
        (12_345_678, 3, "1.23457e+07"),
        (0, 3, "0"),
    ],
)
def test_a_tick_has_all_digits_before_the_point(value, digits, text):
    assert axes.tick_text(value, digits) == text

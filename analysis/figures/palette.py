"""The colours of all figures: Okabe and Ito's, told apart in every common colour blindness."""

from __future__ import annotations

BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BROWN = "#E69F00", "#56B4E9", "#8C510A"
BLACK, DARK, GREY, PALE = "#000000", "#444444", "#666666", "#999999"
"""Base configuration and axes; notes and reference lines; what stands beside; what says little."""
GRID_LINES, PAPER = "#dddddd", "#ffffff"
"""The lines behind everything; the paper, and what is hollow."""
ALARM = "#b00020"
"""What failed, diverged or is unfinished."""

CURVES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BROWN, GREY)
"""Colours of curves in their order: without yellow, which is too light for a line."""

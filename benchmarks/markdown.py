"""The tables of the documents, from ``latest.json``: ``python -m benchmarks.markdown``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.chart import percent
from benchmarks.loops import TITLES
from lttune.store.plain_json import read_json

LATEST = Path(__file__).with_name("latest.json")


def levels(result: Mapping[str, Any]) -> list[str]:
    """Returns microseconds of a step with its share of an evaluation, a row a density."""
    lines = [f"| density | {' | '.join(TITLES.values())} |", f"|---{'|---' * len(TITLES)}|"]
    for level in result["levels"]:
        times = level["step_with_evaluation_us"]
        cells = " | ".join(f"{times[name]:,.0f}" for name in TITLES)
        lines.append(f"| {percent(level['density'])} | {cells} |")
    return lines


def bars(result: Mapping[str, Any]) -> list[str]:
    """Returns every promised figure beside its bar."""
    lines = ["| figure | measured | bar | met |", "|---|---|---|---|"]
    for key, bar in result["bars"].items():
        met = "yes" if bar["met"] else "**no**"
        lines.append(f"| {bar['meaning']} | {result[key]:.3g} | {bar['bar']} | {met} |")
    return lines


def details(result: Mapping[str, Any]) -> list[str]:
    """Returns steps and evaluations apart, with the useful arithmetic, a row a density."""
    head = [f"{title}, us" for title in TITLES.values()]
    head += ["useful GFLOP/s", "of the dense product"]
    lines = [f"| density | {' | '.join(head)} |", f"|---{'|---' * len(head)}|"]
    for level in result["levels"]:
        steps, sums = level["step_us"], level["step_with_evaluation_us"]
        cells = [f"{steps[name]:,.0f} + {sums[name] - steps[name]:,.0f}" for name in TITLES]
        cells += [f"{level['useful_gflop_s']:.0f}", f"{level['roofline']:.2f}"]
        lines.append(f"| {percent(level['density'])} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    latest = read_json(LATEST)
    for name, table in (
        ("README.md", levels(latest)),
        ("README.md, docs/performance.md", bars(latest)),
        ("docs/performance.md", details(latest)),
    ):
        print(name, "", *table, "", sep="\n")

"""The result as tables to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.loops import TITLES
from benchmarks.machine import BUSY


def bars(result: Mapping[str, Any]) -> Table:
    """Returns every promised figure beside its bar."""
    table = _table("figure", "measured", "bar", "met", title="What lttune promises")
    for key, bar in result["bars"].items():
        met = "yes" if bar["met"] else "[red]no[/red]"
        table.add_row(key, f"{result[key]:.3f}", bar["bar"], met)
    return table


def levels(result: Mapping[str, Any]) -> Table:
    """Returns the times of each loop, a row a density."""
    title = "us a step + its share of an evaluation every 100 steps; (times the sparse engine)"
    table = _table("density", *TITLES.values(), "GFLOP/s", "of product", title=title)
    for level in result["levels"]:
        steps, sums = level["step_us"], level["step_with_evaluation_us"]
        cells = [f"{level['density']:.1%}"]
        for name in TITLES:
            cell = f"{steps[name]:,.0f} + {sums[name] - steps[name]:,.0f}"
            if name != "sparse":
                cell += f" ({sums[name] / sums['sparse']:.1f})"
            cells.append(cell)
        table.add_row(*cells, f"{level['useful_gflop_s']:.0f}", f"{level['roofline']:.2f}")
    return table


def loops(result: Mapping[str, Any]) -> Table:
    """Returns what a whole trajectory of each loop takes, and its memory."""
    trajectory, memory = result["trajectory"], result["memory_mb"]
    table = _table("loop", "s", "times", "repetitions", "peak MB (imports)", title="A trajectory")
    seconds = trajectory["median_s"]
    for name, title in TITLES.items():
        values = trajectory["repetitions_s"].get(name)
        spread = f"{min(values):.2f} .. {max(values):.2f}" if values else "from its levels"
        peak = "{peak:,.0f} ({imports:,.0f})".format(**memory[name]) if name in memory else ""
        times = f"{seconds[name] / seconds['sparse']:.1f}"
        table.add_row(title, f"{seconds[name]:.2f}", times, spread, peak)
    return table


def sentences(result: Mapping[str, Any]) -> list[str]:
    """Returns what needs no table."""
    settings, machine = result["settings"], result["machine"]
    study, pair = result["orchestration"], result["two_trials"]
    found = [
        f"Two trials at once: {pair['sparse']['speedup']:.2f} times the throughput of one "
        f"(plain eager loop {pair['eager']['speedup']:.2f}).",
        f"A study of {study['trials']} trials, {study['train_s']:.0f} s of training on "
        f"{study['slots']} cores: {study['overhead']:.1%} on top, of it "
        f"{study['inside_trials']:.1%} inside trials and {study['between_trials']:.1%} between "
        f"them, {study['beyond_training_alone']:.1%} beyond the same training without a study; "
        f"cores with no trial left {study['left_over_s']:.0f} s, start-up "
        f"{study['start_up_s']:.0f} s, report and end {study['finish_s']:.0f} s.",
        f"Medians of {settings['repetitions']} repetitions ({3 * settings['repetitions']} of the "
        f"sparse engine) of {settings['steps']} steps a level; {machine['cpu']}, one of "
        f"{machine['cores']} cores, torch {machine['torch']}, numba {machine['numba']}, load "
        f"{machine['load_average']:.2f} at the start.",
    ]
    if peak_mb := study["worker_peak_mb"]:
        found.append(f"Peak memory of a worker of that study: {peak_mb:,.0f} MB.")
    if machine["load_average"] > BUSY:
        found.append("[red]The machine was busy: repeat this when it is idle.[/red]")
    return found


def show(result: Mapping[str, Any], console: Console) -> None:
    """Prints everything."""
    for table in (levels(result), loops(result), bars(result)):
        console.print(table)
    for sentence in sentences(result):
        console.print(sentence, highlight=False)


def _table(first: str, *others: str, title: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table

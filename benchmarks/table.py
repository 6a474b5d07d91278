"""The result as a table to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measurement import OURS


def rows(result: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Returns a row per loop: name, then microseconds and our share of them in either mode."""
    found = []
    for name, medians in result["median_us_per_step"].items():
        cells = [name]
        for mode in ("without_evaluation", "with_evaluation"):
            ratio = "" if name == OURS else f"{result[f'level_vs_{name}'][mode]:.3f}"
            cells += [f"{medians[mode]:.1f}", ratio]
        found.append(tuple(cells))
    return found


def show(result: Mapping[str, Any], console: Console) -> None:
    """Prints the table, the machine and, if it was measured, a study's overhead."""
    settings, machine = result["settings"], result["machine"]
    evaluated = f"evaluated every {settings['eval_every']} steps"
    table = Table(title=f"{settings['network']} on {settings['dataset']}: time per step")
    table.add_column("loop")
    for heading in ("us", f"{OURS} / loop", f"us, {evaluated}", f"{OURS} / loop"):
        table.add_column(heading, justify="right")
    for row in rows(result):
        table.add_row(*row)
    console.print(table)
    console.print(
        f"Medians of {settings['repetitions']} times {settings['steps']} steps; "
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores, "
        f"torch {machine['torch']}.",
        highlight=False,
    )
    if study := result.get("orchestration"):
        console.print(
            f"Orchestration: {study['overhead']:.1%} on top of training "
            f"({study['networks']} networks, {study['cores']} cores, {study['wall_s']:.0f} s).",
            highlight=False,
        )

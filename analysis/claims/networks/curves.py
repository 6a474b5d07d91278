"""What is read of the trajectories of one arm: a row per replicate, a column per density."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.claims.file.question import WHOLE, Question
from analysis.tables.censoring import is_censored
from analysis.tables.responses import matrix, response_table, trajectory_table
from lttune.config.control import TRUNK
from lttune.records.objectives import DENSITY_GRID

AT_STOP = ("test_accuracy", "val_accuracy", "train_accuracy")
"""Columns of accuracies at the early stop, which a longer training may raise."""
READ = (
    "unit",
    "branch",
    "level",
    "density",
    "prunable",
    "early_stop_step",
    "early_stop_at_end",
    "train.steps",
    "target.steps",
    "diverged",
    "test_accuracy",
    "log_step",
    "late",
)
"""Columns that are read beside the one that a question names."""


@dataclass(frozen=True, kw_only=True)
class ArmCurves:
    """Numbers of an arm, and on which side of them the true ones may lie.

    A step in the last tenth of training, and a density below which nothing was trained, bound the
    true number and do not give it.
    """

    values: pd.DataFrame
    """Row per unit, column per density; one column for numbers of whole trajectories."""
    higher: pd.DataFrame
    """Where the true number may be higher."""
    lower: pd.DataFrame
    """Where it may be lower."""
    trained: int
    """Units that have networks of the arm, sound or not."""
    prunable: int = 0
    """Weights of its dense networks that pruning may take."""
    unfinished: tuple[bool, ...] = ()
    """For each column: whether the numbers are accuracies at the early stop, and most of the
    networks, dense or pruned, had theirs in the last tenth of training, too short for them."""


def responses(
    rows: pd.DataFrame, branch: str, reads: str, densities: Sequence[float]
) -> pd.DataFrame:
    """Returns the response table of an arm's branch, whose rows have the trunk's among them.

    It is read at the fixed grid, at the densities, and at every other's share of this network's
    weights if the density is a number of weights, above 1.

    Raises:
        KeyError: if the records hold no such column.
    """
    if reads not in rows:
        raise KeyError(reads)
    prunable = float(rows["prunable"].iloc[0])
    places = {d if d <= 1 else d / prunable for d in densities}
    grid = tuple(sorted({*DENSITY_GRID, *(p for p in places if p <= 1)}, reverse=True))
    rows = rows[list(dict.fromkeys(name for name in (*READ, reads) if name in rows))]
    # One trial with a replicate for each unit: what response_table tells trajectories by.
    rows = rows.assign(phase="cell", trial=0, replicate=rows["unit"])
    return response_table(rows, accuracy=reads, grid=grid, branch=branch)


def curves(
    rows: pd.DataFrame, branch: str, question: Question, respond: Callable[[str], pd.DataFrame]
) -> ArmCurves:
    """Returns what a question reads of an arm's rows, the trunk's among them.

    ``respond`` returns the arm's ``responses`` in a column, at the question's densities too.

    Raises:
        KeyError: if the records hold no such column.
    """
    trained = rows.loc[rows["branch"] == branch, "unit"].nunique()
    prunable = float(rows["prunable"].iloc[0])

    grid: Sequence[float] = (0.0,)
    if question.measure in WHOLE:
        values, higher, lower = _whole(question, respond(question.reads), prunable)
    else:
        grid = question.densities or tuple(count / prunable for count in question.survivors)
        values, higher, lower = _points(question, respond, grid)
    unfinished = _unfinished(question, rows, branch, grid, respond)
    return ArmCurves(
        values=values,
        higher=higher,
        lower=lower,
        trained=trained,
        prunable=int(prunable),
        unfinished=tuple(unfinished),
    )


def _unfinished(
    question: Question,
    rows: pd.DataFrame,
    branch: str,
    grid: Sequence[float],
    respond: Callable[[str], pd.DataFrame],
) -> list[bool]:
    """Returns ``ArmCurves.unfinished``; of a whole trajectory, that of most of its networks."""
    of_accuracy = question.measure not in ("steps", "steps_ratio") and question.reads in AT_STOP
    if not of_accuracy:
        return [False] * len(grid)
    late = pd.Series(is_censored(rows), rows.index)
    dense = late[(rows["branch"] == TRUNK) & (rows["level"] == 0)]
    needs_dense = question.measure != "accuracy"
    dense_late = needs_dense and bool(dense.mean() > 0.5)
    if question.measure in WHOLE:
        pruned = late[(rows["branch"] == branch) & (rows["level"] > 0)]
        return [dense_late or bool(pruned.mean() > 0.5)]
    shares = _read(respond("late"), "accuracy", grid).mean()
    return [dense_late or bool(share > 0.5) for share in shares]


def _points(
    question: Question, respond: Callable[[str], pd.DataFrame], grid: Sequence[float]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    reads = {"steps": "log_step", "steps_ratio": "test_accuracy"}
    column = {"gain": "gain", "steps_ratio": "log_steps"}.get(question.measure, "accuracy")
    table = respond(reads.get(question.measure, question.reads))
    values = _read(table, column, grid)
    higher, lower = values.isna() & False, values.isna() & False
    if question.measure == "steps_ratio":
        bound = table["steps_bound"]
        table = table.assign(
            higher=bound.isin([">=", "?"]).astype(float),
            lower=bound.isin(["<=", "?"]).astype(float),
        )
        higher, lower = _read(table, "higher", grid) > 0, _read(table, "lower", grid) > 0
    if question.measure == "steps":
        higher = _read(respond("late"), "accuracy", grid) > 0
    return values, higher, lower


def _read(table: pd.DataFrame, column: str, grid: Sequence[float]) -> pd.DataFrame:
    """Returns a row per unit and a column per density, NaN above the dense network's."""
    found = matrix(table, column).reindex(columns=list(grid))
    return found.set_axis(range(len(grid)), axis=1)


def _whole(
    question: Question, table: pd.DataFrame, prunable: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    floor = question.densities[0] if question.densities else DENSITY_GRID[-1]
    table = table[table["density"].isin([*DENSITY_GRID, floor])]
    whole = trajectory_table(table, margin=question.within, floor=floor).set_index("replicate")
    never = pd.Series(False, whole.index)
    if question.measure == "gain_auc":
        return whole[["gain_auc"]].set_axis([0], axis=1), never.to_frame(0), never.to_frame(0)
    # A control that wins nowhere would win above the highest density it was trained at, if at all.
    sound = table[table["gain"].notna() & table["ok"].astype(bool)]
    top = sound.groupby("replicate")["density"].max().reindex(whole.index)
    lost = whole["ticket_density"].isna() & top.notna()
    density = whole["ticket_density"].fillna(top)
    if question.measure == "ticket_weights":
        density = density * prunable
    values = density.astype(float).map(math.log)
    censored = whole["is_censored"].astype(bool)
    return values.to_frame(0), lost.to_frame(0), censored.to_frame(0)

"""Print Optuna's importances of a study's design, each with the question that it answers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lttune.config.output.escaped import say
from lttune.errors import ConfigError, legible

if TYPE_CHECKING:
    import pandas as pd

    from analysis.frame import StudyFrame
    from analysis.tables.design.points import DesignSample
    from lttune.config.design import Factor

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Of which study."""

    study: Annotated[Path, tyro.conf.Positional]
    """Folder of a study with a space-filling design: results/NAME. The table is written to its
    figures/optuna_importance.csv, which the next report shows beside the Sobol' indices."""


def main(flags: Flags) -> int:
    """Prints a table for each method, writes all of them, and returns the exit code."""
    from analysis import load
    from analysis.report.rows.importance import OPTUNA
    from analysis.tables.design.current import sample_digest
    from analysis.tables.design.points import design_sample
    from lttune.config.design import INERT
    from lttune.records.spreadsheet import save_csv
    from lttune.store.files import subfolder, write_atomically, write_errors

    study = load(flags.study)
    sample = design_sample(study)
    if isinstance(sample, str):
        raise ConfigError(f"study must have a design to tell importances from: {sample}")
    _LOG.info("estimating by Optuna's methods")
    responses = {
        **_by_density(sample),
        **_objective(study, sample.points),
    }
    table = _table(sample.points, responses, sample.factors)
    for method, mine in table.groupby("method", sort=False):
        say(f"{method} (n = {mine['n'].max()}): {mine['question'].iloc[0]}")
        wide = mine.pivot(index="factor", columns="response", values="importance")  # noqa: PD010
        order = [list(dict.fromkeys(mine[name])) for name in ("factor", "response")]
        shown = wide.loc[order[0], order[1]].rename(index=legible, columns=legible)
        say(*shown.to_string(float_format="{:.2f}".format, na_rep="–").split("\n"))
        reasons = mine[mine["unknown"] != ""].groupby("response")["unknown"].first()
        for response, reason in reasons.items():
            say(f"not known of {response} ({reason})")
        say("")
    if any(factor.path == INERT for factor in sample.factors):
        say(f"{INERT}: the design's inert control factor, which nothing reads: a method's error")
    path = subfolder(flags.study, "figures") / OPTUNA
    with write_errors(path), write_atomically(path) as temporary:
        save_csv(study.marked(table, sample_digest(study, sample)), temporary)
    say(f"{path}: lttune report {flags.study} shows it")
    return 0


def _by_density(sample: DesignSample) -> dict[str, tuple[pd.Series, bool]]:
    """Returns, for a few densities, accuracies by trial, the mean over its sound replicates."""
    from analysis.tables.design.points import IMPORTANCE_DENSITIES

    responses = sample.responses
    sound = responses[responses["ok"].astype(bool)].dropna(subset=["value"])
    found: dict[str, tuple[pd.Series, bool]] = {}
    own = set(sample.densities) - set(IMPORTANCE_DENSITIES)
    for density in sorted({*IMPORTANCE_DENSITIES[::3], *own}, reverse=True):
        here = sound[sound["density"] == density]
        means = here.groupby("trial")["value"].mean()
        if len(means):
            found[f"accuracy at {100 * density:.3g} %"] = means, False
    return found


def _objective(study: StudyFrame, points: pd.DataFrame) -> dict[str, tuple[pd.Series, bool]]:
    """Returns the objective of one value by trial, and whether less of it is better."""
    from analysis.tables.objective import directions, is_minimized, objective_name

    trials = study.trials
    if len(directions(study)) > 1:
        return {}
    first = {number: row["trial"] for row in points.to_dict("records") for number in row["trials"]}
    done = trials[trials["number"].isin(list(first)) & (trials["state"] == "complete")]
    values = done.dropna(subset=["objective"]).assign(trial=done["number"].map(first))
    means = values.groupby("trial")["objective"].mean()
    return {objective_name(study): (means, is_minimized(study))} if len(means) else {}


def _table(
    points: pd.DataFrame,
    responses: Mapping[str, tuple[pd.Series, bool]],
    factors: Sequence[Factor],
) -> pd.DataFrame:
    """Returns columns response, method, question, n, factor, importance, rank and unknown."""
    import pandas as pd

    from lttune.study.search.optuna_importance import (
        FEWEST_RANKED,
        QUESTIONS,
        optuna_importances,
    )

    most = max((len(means) for means, _ in responses.values()), default=0)
    if most < FEWEST_RANKED:
        raise ConfigError(
            f"design must have {FEWEST_RANKED} points with a response or more, for a best tenth, "
            f"got {most}"
        )
    wide = {
        name: optuna_importances(
            points,
            dict(zip(means.index.tolist(), means.tolist(), strict=True)),
            factors,
            minimize=minimize,
        )
        for name, (means, minimize) in responses.items()
    }
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "response": name,
                    "method": method,
                    "question": question,
                    "n": len(responses[name][0]),
                    "factor": wide[name]["factor"],
                    "importance": wide[name][method],
                    "rank": wide[name][f"{method}_rank"],
                    "unknown": wide[name][f"{method}_unknown"],
                }
            )
            for method, question in QUESTIONS.items()
            for name in responses
        ],
        ignore_index=True,
    )

"""Optuna's importances, as columns to be read beside the Sobol' indices and never instead.

Each answers another question, which ``QUESTIONS`` states. The evaluators are named: the default
one of ``get_param_importances`` changed between Optuna 4 and 5.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from optuna.trial import create_trial

from lttune.config.design import HANDFUL, Factor, lacking_contrast
from lttune.study.search.space import space_of

optuna.logging.set_verbosity(optuna.logging.WARNING)

QUESTIONS: dict[str, str] = {
    "ped_anova": "what must be right to be among the best tenth of all trials",
    "ped_anova_local": "what separates the best tenth from the better half",
    "optuna_fanova": "what share of a forest's variance a factor explains alone, with log scales "
    "integrated as linear ones",
}
"""Column -> the question that it answers."""

BEST_SHARE = 0.1
"""Share of the trials that PED-ANOVA asks about."""
FEWEST_RANKED = 20
"""Trials of which there is a best tenth."""
REGIONS = {"ped_anova": (1.0, "all trials"), "ped_anova_local": (0.5, "the better half")}
"""Column -> the share of the trials that the best are compared with, and its name."""


def optuna_importances(
    points: pd.DataFrame,
    values: Mapping[int, float],
    factors: Sequence[Factor],
    *,
    minimize: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns a row per factor with Optuna's importances (summing to 1) and their ranks.

    For each name of ``QUESTIONS`` the columns ``NAME``, ``NAME_rank`` and ``NAME_unknown``: why the
    first two are missing, empty where they are not. Where responses are tied, the best tenth can be
    all of what it is compared with, and a forest can explain the one trial that differs: Optuna
    then gives equal shares, or all to one factor, which nothing has shown.

    Args:
        points: columns ``trial`` and each factor's path.
        values: trial -> mean response; trials without one are left out.
        factors: the declared distributions.
        minimize: whether less of the response is better.
        seed: of the forest.

    """
    rows = points[points["trial"].isin(list(values))]
    study = optuna.create_study(direction="minimize" if minimize else "maximize")
    distributions = space_of(factors)
    for row in rows.to_dict("records"):
        params = {path: _plain(row[path]) for path in distributions}
        value = float(values[row["trial"]])
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    table = pd.DataFrame({"factor": list(distributions)})
    losses = np.array([float(values[trial]) for trial in rows["trial"]]) * (1 if minimize else -1)
    for name, evaluator in _evaluators(seed).items():
        table[f"{name}_unknown"] = unknown = _unknown(name, losses)
        if unknown:
            table[name] = float("nan")
            table[f"{name}_rank"] = pd.Series(pd.NA, index=table.index, dtype="Int64")
            continue
        # A target is read as "less is better" whatever the study's direction (Optuna 5): an
        # accuracy that is not negated says what makes networks bad.
        sign = 1.0 if minimize or name == "optuna_fanova" else -1.0
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", message=".*target.*")
            found = optuna.importance.get_param_importances(
                study,
                evaluator=evaluator,
                params=list(distributions),
                target=lambda trial, sign=sign: sign * trial.values[0],
            )
        column = table["factor"].map(found)
        table[name] = column
        table[f"{name}_rank"] = column.rank(ascending=False, method="min").astype("Int64")
    return table


def _unknown(name: str, losses: np.ndarray) -> str:
    """Returns why a method says nothing of these responses, empty if it may say something.

    Args:
        name: of ``QUESTIONS``.
        losses: the trials' responses, less is better.
    """
    n = len(losses)
    if n < FEWEST_RANKED:
        return f"{n} points have a response, fewer than {FEWEST_RANKED}"
    if name not in REGIONS:
        return lacking_contrast(losses)
    share, words = REGIONS[name]
    best, region = (
        int((losses <= np.quantile(losses, quantile, method="inverted_cdf")).sum())
        for quantile in (BEST_SHARE, share)
    )
    if best == region:
        return f"the best tenth and {words} are the same {best} of {n} trials: they are tied"
    if (fewer := min(best, region - best)) >= HANDFUL:
        return ""
    if fewer == best:
        return f"{best} of {n} trials are in the best tenth, fewer than {HANDFUL}"
    return f"{fewer} of {words} are not in the best tenth, fewer than {HANDFUL}"


def _evaluators(seed: int) -> dict[str, BaseImportanceEvaluator]:
    return {
        **{
            name: PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE, region_quantile=share)
            for name, (share, _) in REGIONS.items()
        },
        "optuna_fanova": FanovaImportanceEvaluator(seed=seed),
    }


def _plain(value: Any) -> Any:
    """Returns a pandas value as the Python value that Optuna wants."""
    return value.item() if hasattr(value, "item") else value

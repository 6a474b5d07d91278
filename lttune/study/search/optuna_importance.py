"""Optuna's importances, as columns to be read beside the Sobol' indices and never instead.

Each answers another question, which ``QUESTIONS`` states. The evaluators are named: the default
one of ``get_param_importances`` changed between Optuna 4 and 5.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import pandas as pd
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
)
from optuna.trial import create_trial

from lttune.config.design import Factor
from lttune.study.search.space import space_of

optuna.logging.set_verbosity(optuna.logging.WARNING)

QUESTIONS: dict[str, str] = {
    "ped_anova": "what must be right to be among the best tenth of all trials",
    "ped_anova_local": "what separates the best tenth from the better half",
    "optuna_fanova": "what share of a forest's variance a factor explains alone, with log scales "
    "integrated as linear ones",
}
"""Column -> the question that it answers."""


def optuna_importances(
    points: pd.DataFrame,
    values: Mapping[int, float],
    factors: Sequence[Factor],
    *,
    minimize: bool = False,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns a row per factor with Optuna's importances (summing to 1) and their ranks.

    Args:
        points: columns ``trial`` and each factor's path.
        values: trial -> mean response; trials without one are left out.
        factors: the declared distributions.
        minimize: whether less of the response is better.
        seed: of the forest.

    Raises:
        ValueError: if there are fewer than 20 trials: the best tenth would be less than two.
    """
    rows = points[points["trial"].isin(list(values))]
    if len(rows) < 20:
        raise ValueError(f"PED-ANOVA of the best tenth needs 20 trials, got {len(rows)}")
    study = optuna.create_study(direction="minimize" if minimize else "maximize")
    distributions = space_of(factors)
    for row in rows.to_dict("records"):
        params = {path: _plain(row[path]) for path in distributions}
        value = float(values[row["trial"]])
        study.add_trial(create_trial(params=params, distributions=distributions, value=value))
    table = pd.DataFrame({"factor": list(distributions)})
    for name, evaluator in _evaluators(seed).items():
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
        table[f"{name}_rank"] = column.rank(ascending=False, method="min").astype(int)
    return table


def _evaluators(seed: int) -> dict[str, BaseImportanceEvaluator]:
    return {
        "ped_anova": PedAnovaImportanceEvaluator(target_quantile=0.1, region_quantile=1.0),
        "ped_anova_local": PedAnovaImportanceEvaluator(target_quantile=0.1, region_quantile=0.5),
        "optuna_fanova": FanovaImportanceEvaluator(seed=seed),
    }


def _plain(value: Any) -> Any:
    """Returns a pandas value as the Python value that Optuna wants."""
    return value.item() if hasattr(value, "item") else value

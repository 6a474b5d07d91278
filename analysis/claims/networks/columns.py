"""The columns that questions read beside the recorded ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.tables.censoring import is_censored
from lttune.config.control import TRUNK

GAPS = {"end_gap": ("end_train_accuracy", "end_test_accuracy")}
"""Column that is made -> the first recorded one less the second."""


def with_columns(records: pd.DataFrame, layers: pd.DataFrame | None = None) -> pd.DataFrame:
    """Returns records with the columns that questions read beside the recorded ones.

    ``pruning_gap`` is the validation accuracy before training less the dense network's at its end.
    ``layers`` is ``layers.parquet``: its column C of layer L becomes ``C.L`` of the trunk's rows;
    so do ``incoming_cv``, ``outgoing_cv`` (deviation over mean), ``incoming_excess`` (that of a
    layer less what it would be if its survivors were drawn at random), ``outgoing_lead`` (outgoing
    less incoming), and ``moved_lead``, ``grown_lead`` (of the dense training: weights that survive
    less weights that do not).
    """
    made = records.copy()
    for name, (a, b) in GAPS.items():
        if a in made and b in made:
            made[name] = made[a].astype(float) - made[b].astype(float)
    if {"start_val_accuracy", "end_val_accuracy"} <= {*made}:
        made["pruning_gap"] = made["start_val_accuracy"].astype(float) - _of_dense(made)
    steps = made["early_stop_step"].to_numpy(float)
    made["log_step"] = np.log(np.where(steps > 0, steps, np.nan))
    made["late"] = is_censored(made).astype(float)
    if layers is None or layers.empty:
        return made
    incoming = layers["incoming_std"] / layers["incoming_mean"]
    outgoing = layers["outgoing_std"] / layers["outgoing_mean"]
    # Deviation over mean of a binomial number: sqrt((1 - p) / (n p)).
    gone = 1 - layers["surviving"] / layers["size"]
    wide = layers.assign(
        incoming_cv=incoming,
        outgoing_cv=outgoing,
        incoming_excess=incoming - np.sqrt(gone / layers["incoming_mean"]),
        outgoing_lead=outgoing - incoming,
        moved_lead=layers["dense_moved_kept"] - layers["dense_moved_pruned"],
        grown_lead=layers["dense_grown_kept"] - layers["dense_grown_pruned"],
    )
    key = ["study", "phase", "trial", "replicate", "level"]
    numbers = [name for name in wide.select_dtypes("number") if name not in key]
    # Of the networks that there are: not of each level of each trial of each study.
    means = wide.groupby([*key, "layer"])[numbers].mean()
    table = pd.DataFrame(means.unstack("layer"))  # noqa: PD010
    table.columns = [f"{column}.{layer}" for column, layer in table.columns]
    return made.merge(table.assign(branch=TRUNK).reset_index(), on=[*key, "branch"], how="left")


def _of_dense(records: pd.DataFrame) -> np.ndarray:
    """Returns, of each row, the end validation accuracy of its trajectory's dense network."""
    key = ["study", "phase", "trial", "replicate"]
    is_dense = (records["branch"] == TRUNK) & (records["level"] == 0)
    dense = records.loc[is_dense, [*key, "end_val_accuracy"]].drop_duplicates(key)
    return records[key].merge(dense, on=key, how="left")["end_val_accuracy"].to_numpy(float)

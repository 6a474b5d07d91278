"""The settings that may name code of one's own, and what some settings name."""

from __future__ import annotations

from collections.abc import Iterable

from lttune.config import LotteryConfig, flatten
from lttune.config.lottery.data import DATASET_SETTINGS
from lttune.config.lottery.model import is_own_network
from lttune.config.own import is_own_code
from lttune.data.made import PICTURES
from lttune.models.own import NETWORK
from lttune.pruning.criteria.own import CRITERION
from lttune.records.own import OBJECTIVE
from lttune.training.schedule import SCHEDULE
from lttune.trajectory.branches.own import CONTROL_SETTING
from lttune.trajectory.measurements.own import MEASURE

OWN_HPARAMS = {
    NETWORK: NETWORK,
    CRITERION: CRITERION,
    SCHEDULE: SCHEDULE,
    **dict.fromkeys(DATASET_SETTINGS, PICTURES),
}
"""Hyperparameter that may name code of one's own -> the field as which it is known."""
OWN_SETTINGS = {
    OBJECTIVE: OBJECTIVE,
    MEASURE: MEASURE,
    **OWN_HPARAMS,
    CONTROL_SETTING: CONTROL_SETTING,
}
"""Likewise of all settings, in the order in which a study says what it has."""


def own_names(
    config: LotteryConfig,
    controls: Iterable[str] = (),
    others: Iterable[tuple[str, object]] = (),
) -> list[tuple[str, str]]:
    """Returns field and name of each part of one's own, each once, in the table's order.

    Args:
        config: of a trajectory.
        controls: names of all that are trained beside.
        others: more settings and what they name, such as what hyperparameters are varied over.
    """
    values = flatten(config.nested())
    named = [(path, values[path]) for path in OWN_SETTINGS if path in values]
    named += [*others, (CONTROL_SETTING, [*controls])]
    found = {field: dict[str, None]() for field in OWN_SETTINGS.values()}
    for path, value in named:
        is_own = is_own_network if path == NETWORK else is_own_code
        names = value if isinstance(value, list) else [value]
        found[OWN_SETTINGS[path]] |= {name: None for name in names if is_own(name)}
    return [(field, name) for field, names in found.items() for name in names]

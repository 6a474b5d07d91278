"""Fair comparison: each value of a scientific factor is tuned before it is judged.

"Adam against SGD" at one learning rate is no comparison. Every value gets the same number of
quasi-random settings of its own nuisance ranges; the best by validation is then trained on
replicates that tuning never saw, so that the winner's luck is not counted
(``lttune.study.phases.confirmation``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lttune.config.design.factors import Factor, check
from lttune.config.design.points import Point, point
from lttune.config.design.space_filling import require_power_of_two, sobol
from lttune.config.fields import as_python, is_int, require


def fair_comparison(
    path: str,
    nuisance: Mapping[Any, Sequence[Factor]],
    *,
    budget: int = 16,
    seed: int = 0,
    replicate: int = 0,
    fixed: Mapping[str, Any] | None = None,
) -> list[Point]:
    """Returns the tuning points of every value, ``budget`` each, value by value.

    Values with as many nuisance factors share their unit points, so that none has the luckier
    sequence.

    Args:
        path: the scientific factor, categorical.
        nuisance: value of it -> the nuisance factors to tune there, each with that value's range.
        budget: tuning points of a value, a power of two.
        seed: root of the scrambling.
        replicate: the one that tuning trains.
        fixed: hyperparameters that hold in all points.

    Raises:
        ConfigError: if there are fewer than two values, or a nuisance factor is the scientific one.
    """
    require(isinstance(path, str), "path", "a text", path)
    rule = "a dict of two or more values to the factors that are tuned there"
    ok = isinstance(nuisance, Mapping) and len(nuisance) >= 2
    require(ok, f"nuisance of {path}", rule, nuisance)
    budget, seed, replicate = as_python((budget, seed, replicate))
    require_power_of_two("budget", budget)
    require(is_int(seed), "seed", "a whole number", seed)
    ok = fixed is None or isinstance(fixed, Mapping)
    require(ok, "fixed", "a dict of dotted paths to values, or None", fixed)
    design: list[Point] = []
    for value, factors in nuisance.items():
        check(factors)
        own = all(path not in (factor.path, *factor.linked) for factor in factors)
        require(own, path, "no nuisance factor of itself", value)
        for i, u in enumerate(sobol(len(factors), budget, seed, "fair-comparison")):
            design.append(
                point(
                    factors,
                    u,
                    replicates=[replicate],
                    role="tune",
                    label=f"{value}-tune-{i:03d}",
                    fixed={**(fixed or {}), path: value},
                )
            )
    return design

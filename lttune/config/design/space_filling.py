"""Space-filling designs: the scrambled Sobol' sequence over all factors at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lttune.config.design.distributions import Floats
from lttune.config.design.factors import INERT, Factor, check, with_inert
from lttune.config.design.points import Point, point
from lttune.config.fields import as_python, is_int, require
from lttune.config.seeding import integer


def require_power_of_two(name: str, count: object) -> None:
    """Raises ``ConfigError`` unless a number of points is one of a Sobol' sequence's."""
    ok = is_int(count) and count >= 1 and count & (count - 1) == 0
    require(ok, name, "a power of two", count)


def sobol(dimensions: int, n: int, seed: int, purpose: str) -> Floats:
    """Returns n points of the scrambled Sobol' sequence, shape (n, dimensions), in [0, 1).

    The first points of a longer sequence are the shorter one.

    Args:
        dimensions: of a point.
        n: a power of two: the sequence is balanced at those only.
        seed: root of the scrambling.
        purpose: what the points are for: each has a scrambling of its own.
    """
    # SciPy's statistics take long to import: a worker draws no design and should not wait.
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=integer(seed, purpose))
    return sequence.random(n)


def space_filling(
    factors: Sequence[Factor],
    *,
    points: int,
    seed: int,
    paper: Mapping[str, Any] | None = None,
    repeats: int = 16,
    repetitions: int = 3,
    fixed: Mapping[str, Any] | None = None,
) -> list[Point]:
    """Returns a Sobol' design with the inert factor, the paper's point first.

    A design of twice the points begins with this one, so that a study can be extended.

    Args:
        factors: what varies; the inert control factor is added.
        points: points of the sequence, a power of two.
        seed: root of the scrambling.
        paper: the paper's hyperparameters, a point of its own; None leaves it out. It is not a draw
            of the factors' distributions, so estimates of importance leave it out too.
        repeats: how many points, the first of the sequence, have several replicates: their spread
            is the seed variance (pure error).
        repetitions: replicates of each of those, >= 2; the others have replicate 0.
        fixed: hyperparameters that hold in all points of the sequence.

    Raises:
        ConfigError: if an argument breaks its rule.
    """
    check(factors)
    factors = with_inert(factors)
    points, repeats, repetitions, seed = as_python((points, repeats, repetitions, seed))
    require_power_of_two("points of a Sobol' design", points)
    ok = is_int(repeats) and 0 <= repeats <= points
    require(ok, "repeats", f"a whole number from 0 to {points}", repeats)
    ok = is_int(repetitions) and repetitions >= 2
    require(ok, "repetitions", "a whole number >= 2", repetitions)
    require(is_int(seed), "seed", "a whole number", seed)
    for name, values in (("paper", paper), ("fixed", fixed)):
        ok = values is None or isinstance(values, Mapping)
        require(ok, name, "a dict of dotted paths to values, or None", values)
    design: list[Point] = []
    if paper is not None:
        ids = tuple(range(repetitions))
        design.append(Point(hparams=dict(paper), replicates=ids, role="paper", label="paper"))
    unit = sobol(len(factors), points, seed, "space-filling")
    for i, u in enumerate(unit):
        repeated = i < repeats
        design.append(
            point(
                factors,
                u,
                replicates=range(repetitions if repeated else 1),
                role="repeat" if repeated else "design",
                label=f"sobol-{i:03d}",
                fixed=fixed,
            )
        )
    assert all(p.role == "paper" or INERT in p.coordinates for p in design)
    return design

"""Whether the fields of a study are of their kinds, before anything asks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lttune.config import require
from lttune.config.design import INERT, Point
from lttune.config.design.factors import KINDS, require_factors
from lttune.config.design.points import require_points
from lttune.config.lottery.lottery import require_path
from lttune.config.phase import phase_names
from lttune.config.rules import Rules, every_rule
from lttune.errors import ConfigError, unknown
from lttune.study.settings import StudyConfig

if TYPE_CHECKING:
    from lttune.study.declared.study import Study


def require_declared(study: Study) -> None:
    """Checks each field of a study alone.

    Whether values and points are valid configurations goes by the scale, and is asked when it runs.

    Raises:
        ConfigError: with a line for each field of another kind, and for each path that is no field
            of a configuration.
    """
    with every_rule(part=False) as rules:
        ok = isinstance(study.question, str) and study.question.strip() != ""
        rules.require(ok, "question", "a sentence", study.question)
        rules.require(isinstance(study.source, str), "source", "a text", study.source)
        ok = study.file is None or isinstance(study.file, Path)
        rules.require(ok, "file", "a pathlib.Path such as Path(__file__), or None", study.file)
        ok = study.prepare is None or callable(study.prepare)
        rules.require(ok, "prepare", "a function or None", study.prepare)
        ok = study.compared is None or isinstance(study.compared, str)
        rules.require(ok, "compared", "a dotted path or None", study.compared)
        _check_scales(rules, study.scales)
        rules.attempt(lambda: require_factors(study.factors))
        _check_space(rules, study.space)
        points = _points(rules, study.points, study.scales)
        if not rules.broken:
            _check_paths(rules, study, points)


def _check_paths(rules: Rules, study: Study, points: list[tuple[str, Point]]) -> None:
    """Notes each path that is no field once: what is a factor is in the space and all points."""
    told = set[object]()

    def check(where: str, path: object) -> None:
        try:
            require_path(path)
        except ConfigError as error:
            if path not in told:
                rules.note(error.within(where))
            told.add(path)

    if study.compared is not None:
        check("compared", study.compared)
    for factor in study.factors:
        if factor.path != INERT:
            check("factors", factor.path)
        for path in factor.linked:
            check(f"linked of the factor {factor.path}", path)
    for path in study.space:
        check("space", path)
    for where, point in points:
        for path in point.hparams:
            check(where, path)


def _check_scales(rules: Rules, scales: object) -> None:
    rule = "a dict of names to StudyConfig, one or more"
    ok = isinstance(scales, Mapping) and len(scales) > 0
    rules.require(ok, "scales", rule, scales)
    for name, config in _items(scales):
        rules.require(isinstance(name, str), "scales", rule, name)
        rules.require(isinstance(config, StudyConfig), f"scales[{name!r}]", "a StudyConfig", config)


def _check_space(rules: Rules, space: object) -> None:
    rule = "a dict of dotted paths to distributions of Optuna's, as space_of(FACTORS) makes it"
    rules.require(isinstance(space, Mapping), "space", rule, space)
    for path, distribution in _items(space):
        # Who has one of Optuna's has imported it; who has none need not wait for it.
        from optuna.distributions import BaseDistribution

        ok = isinstance(distribution, BaseDistribution)
        of_designs = isinstance(distribution, tuple(KINDS.values()))
        rule = "a distribution of Optuna's"
        rule += ", as space_of(FACTORS) makes it of a Factor's" if of_designs else ""
        rules.require(ok, f"space[{path!r}]", rule, distribution)


def _points(rules: Rules, points: object, scales: object) -> list[tuple[str, Point]]:
    """Returns places and points; notes what is no point, or of no scale or phase."""
    known = [name for name, _ in _items(scales) if isinstance(name, str)]
    rule = "a dict of scales to dicts of phases to points"
    rules.require(isinstance(points, Mapping), "points", rule, points)
    found: list[tuple[str, Point]] = []
    for scale, phases in _items(points):
        where = f"points[{scale!r}]"
        if known and scale not in known:
            rules.note(unknown("scale of points", scale, known))
        rules.require(isinstance(phases, Mapping), where, "a dict of phases to points", phases)
        for phase, listed in _items(phases):
            if phase not in (takes := phase_names(lambda one: one.is_declared)):
                rules.note(unknown(f"phase of {where}", phase, takes))
            place = f"{where}[{phase!r}]"
            for point in rules.attempt(lambda p=place, listed=listed: _listed(p, listed)) or ():
                found.append((f"{place}: point {point.label!r}", point))
    return found


def _listed(place: str, points: Any) -> list[Point]:
    require(isinstance(points, list | tuple), place, "a list or tuple of Point", points)
    return require_points(points)


def _items(values: object) -> Iterator[tuple[Any, Any]]:
    yield from values.items() if isinstance(values, Mapping) else ()

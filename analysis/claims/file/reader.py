"""The claims file: read whole, checked whole, identified by its bytes."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any

from analysis.claims.file.arm import Arm
from analysis.claims.file.claim import Claim
from analysis.claims.file.fields import require
from analysis.claims.file.question import RATIOS, Question
from lttune.config import LotteryConfig
from lttune.config.fields import as_tuple
from lttune.errors import ConfigError, StorageError, unknown
from lttune.store.files import reason_of
from lttune.store.formats.plain_yaml import parse_yaml
from lttune.store.regular import regular_size

FILE = Path(__file__).with_name("claims.yaml")
"""The claims that are shipped."""
CLAIMS_SCHEMA = 1
"""Version of the file's form."""
LONGEST_FILE = 4 << 20
"""Bytes of a file that is read; the shipped one has a twentieth of them."""
ARMS = "cells"
"""Key of a question's arms."""
VERSION_KINDS = str | int | float | date | NoneType
"""What YAML makes of a version that is written without quotes; None of one left empty."""
TOP = ("schema", "version", "defaults", "settings", "claims")


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A claims file."""

    version: str
    """Version of its contents, as its authors count them."""
    settings: dict[str, LotteryConfig]
    """Name -> the configuration that arms start from."""
    claims: tuple[Claim, ...]
    """In the order of the file."""
    sha256: str
    """Of the file's bytes."""

    def claim(self, name: str) -> Claim:
        """Returns a claim.

        Raises:
            ConfigError: if there is none of that id.
        """
        for claim in self.claims:
            if claim.id == name:
                return claim
        raise unknown("claim", name, [claim.id for claim in self.claims])


def read(path: Path | None = None) -> Registry:
    """Returns the claims of a file, by default the shipped one.

    Raises:
        StorageError: if it cannot be read.
        ConfigError: if a claim breaks a rule; one line with file, claim, field, rule and value.
    """
    path = FILE if path is None else path
    try:
        if regular_size(path) > LONGEST_FILE:
            raise StorageError(f"{path} must be a claims file of at most {LONGEST_FILE >> 20} MB")
        text = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        return _parsed(text)
    except ConfigError as error:
        raise error.within(str(path)) from None


@cache
def _parsed(text: bytes) -> Registry:
    try:
        values = parse_yaml(text)
    except ValueError as error:
        raise ConfigError(f"the claims file is no YAML: {reason_of(error)}") from None
    return as_registry(values, hashlib.sha256(text).hexdigest())


def as_registry(tree: Any, sha256: str = "") -> Registry:
    """Returns the claims of a file's plain values.

    Raises:
        ConfigError: as ``read``.
    """
    require(isinstance(tree, Mapping), "claims file", "a mapping", type(tree).__name__)
    _known("claims file", tree, TOP)
    require(tree.get("schema") == CLAIMS_SCHEMA, "schema", f"{CLAIMS_SCHEMA}", tree.get("schema"))
    version = tree.get("version")
    require(isinstance(version, VERSION_KINDS), "version", "a text, a number or a date", version)
    defaults, named = (tree.get(name, {}) for name in ("defaults", "settings"))
    for name, group in (("defaults", defaults), ("settings", named)):
        require(isinstance(group, Mapping), name, "a mapping", group)
    settings = {
        name: _named(f"settings.{name}", LotteryConfig(), values) for name, values in named.items()
    }
    listed = tree.get("claims")
    require(isinstance(listed, list) and bool(listed), "claims", "a list of one or more", listed)
    claims = tuple(_claim(values, defaults) for values in listed)
    ids, presumed = Counter(claim.id for claim in claims), _presumed(claims)
    for claim in claims:
        require(ids[claim.id] == 1, f"{claim.id}: id", "used once", claim.id)
        for other in claim.conflicts:
            if other not in ids:
                raise unknown(f"{claim.id}: conflicts", other, ids)
        if claim.setting and claim.setting not in settings:
            raise unknown(f"{claim.id}: setting", claim.setting, settings)
        there = presumed[claim.setting]
        if claim.presumes and there.get(claim.presumes, claim.id) == claim.id:
            known = [name for name, whose in there.items() if whose != claim.id]
            raise unknown(f"{claim.id}: presumes", claim.presumes, known)
        for place, question in enumerate(claim.questions):
            for arm in question.arms:
                where = f"{claim.id}: questions[{place}].cells {arm.name!r}"
                _named(where, settings[claim.setting], arm.at)
    version = "" if version is None else str(version)
    return Registry(version=version, settings=settings, claims=claims, sha256=sha256)


def _presumed(claims: Sequence[Claim]) -> dict[str, dict[str, str]]:
    """Returns of each setting what claims may presume there: "id: question" -> the claim's id."""
    found = defaultdict[str, dict[str, str]](dict)
    for claim in claims:
        names = (f"{claim.id}: {question.name}" for question in claim.questions)
        found[claim.setting].update(dict.fromkeys(names, claim.id))
    return found


def _claim(values: Any, defaults: Mapping[str, Any]) -> Claim:
    require(isinstance(values, Mapping), "claims", "mappings", values)
    name = values.get("id")
    require(isinstance(name, str) and bool(name), "claim.id", "a name", name)
    values = {**defaults, **values}
    _known(f"{name}", values, _names(Claim))
    questions = values.get("questions") or []
    require(isinstance(questions, list), f"{name}: questions", "a list", questions)
    values["questions"] = tuple(
        _question(f"{name}: questions[{place}]", one, values) for place, one in enumerate(questions)
    )
    claim = _made(f"{name}", Claim, values)
    as_tuple(claim, "conflicts")
    claim.check()
    return claim


def _question(where: str, values: Any, claim: Mapping[str, Any]) -> Question:
    require(isinstance(values, Mapping), where, "a mapping", values)
    _known(where, values, [ARMS if name == "arms" else name for name in _names(Question)])
    measure, usual = values.get("measure"), (claim.get("margin"), claim.get("sesoi"))
    margin, sesoi = RATIOS.get(measure, usual) if isinstance(measure, str) else usual
    values = {"form": claim.get("form"), "margin": margin, "sesoi": sesoi, **values}
    arms = values.pop(ARMS, None) or []
    require(isinstance(arms, list), f"{where}.cells", "a list", arms)
    made = []
    for place, arm in enumerate(arms):
        here = f"{where}.cells[{place}]"
        require(isinstance(arm, Mapping), here, "a mapping", arm)
        _known(here, arm, _names(Arm))
        made.append(_made(here, Arm, arm))
    question = _made(where, Question, {**values, "arms": tuple(made)})
    for name in ("densities", "survivors", "rivals", "factors"):
        as_tuple(question, name)
        require(
            isinstance(getattr(question, name), tuple),
            f"{where}.{name}",
            "a list",
            getattr(question, name),
        )
    return question


def _names(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


def _made(where: str, kind: type, values: Mapping[str, Any]) -> Any:
    try:
        return kind(**values)
    except TypeError as error:
        missing = str(error).partition("argument")[2].lstrip("s: ")
        raise ConfigError(f"{where}: {missing} must be given") from None


def _named(where: str, base: LotteryConfig, values: Any) -> LotteryConfig:
    require(isinstance(values, Mapping), where, "path: value", values)
    try:
        return base.override(values)
    except ConfigError as error:
        raise error.within(where) from None


def _known(where: str, values: Mapping[str, Any], names: Any) -> None:
    for name in values:
        if name not in names:
            raise unknown(f"{where}: field", name, names)

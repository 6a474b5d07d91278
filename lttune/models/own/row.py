"""Networks of one's own as rows of the table of networks (``lttune.models.architectures``)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from lttune.config.rules import every_rule
from lttune.errors import ConfigError
from lttune.models.architectures import FAMILIES
from lttune.models.initialisers import Shape
from lttune.models.layers import weight_name
from lttune.models.outline import Outline
from lttune.models.own.code import NETWORK, NetworkFunction, function_of, read_code, remark_on
from lttune.models.own.description import Described, read_descriptions, written
from lttune.models.own.inspection import inspected
from lttune.models.own.wrapping import wrapped
from lttune.records.own import OwnCode, describe_part, read_own_code, use_part


@runtime_checkable
class OwnNetwork(Protocol):
    """A row whose networks are not made by lttune."""

    source: str
    """SHA-256 of the code, and of the versions of what it imports."""

    def outline(self, shape: Shape, classes: int) -> Outline:
        """Returns what the network for pictures of a shape is made of."""
        ...

    def __call__(
        self, shape: Shape, classes: int, sizes: Sequence[int], dropout: float
    ) -> nn.Module:
        """Returns a new module."""
        ...


class LoadedNetwork:
    """A network whose code is here.

    Args:
        code: read, and run by this unless the function is given.
        function: makes the network; None is the code's.

    Raises:
        ConfigError: if it cannot be imported.
    """

    def __init__(self, code: OwnCode, function: NetworkFunction | None = None) -> None:
        self.code, self.source = code, code.digest
        self._function = function or function_of(code)
        self.outlines: dict[tuple[Shape, int], Outline] = {}
        """What was inspected so far, by shape of a picture and number of classes."""

    def outline(self, shape: Shape, classes: int) -> Outline:
        """Returns what the network for pictures of a shape is made of.

        Raises:
            ConfigError: if it cannot be made or trained.
        """
        if (shape, classes) not in self.outlines:
            self.outlines[shape, classes] = inspected(
                self.code, lambda: self(shape, classes, (), 0.0), shape, classes
            )
        return self.outlines[shape, classes]

    def __call__(
        self, shape: Shape, classes: int, sizes: Sequence[int], dropout: float
    ) -> nn.Module:
        """Returns a new module, with values, on the CPU.

        Its code may compute with what it makes, which tensors without values do not allow.

        Raises:
            ConfigError: if it cannot be made.
        """
        with torch.device("cpu"):
            return wrapped(self.code, self._function, shape, classes)


class DescribedNetwork:
    """A network of which only a study's description is here: it can be read and not trained.

    Args:
        described: its descriptions, one for each shape of pictures.
    """

    def __init__(self, described: Sequence[Described]) -> None:
        self.name, self.source = described[0].name, described[0].source
        self._outlines = {(one.shape, one.classes): one.outline for one in described}

    def outline(self, shape: Shape, classes: int) -> Outline:
        """Returns what the network for pictures of a shape is made of.

        Raises:
            ConfigError: if the study does not describe it.
        """
        if (shape, classes) not in self._outlines:
            raise ConfigError(
                f"model.name: study.json does not describe {self.name!r} for pictures of shape "
                f"{shape} and {classes} classes"
            )
        return self._outlines[shape, classes]

    def __call__(
        self, shape: Shape, classes: int, sizes: Sequence[int], dropout: float
    ) -> nn.Module:
        """Raises ``ConfigError``: the code of a study that is read is never run."""
        raise ConfigError(
            f"model.name: this needs the code of {self.name!r}, which no command takes from the "
            "folder of a study: `lttune transfer` has --network"
        )


def use(codes: Iterable[OwnCode]) -> None:
    """Makes networks and other parts of one's own known under their names; their code is run.

    Raises:
        ConfigError: if one cannot be imported.
        ResourceError: if a package here is not the one that its digest is of.
    """
    for code in codes:
        use_as(code, code.name)


def use_as(code: OwnCode, name: str) -> None:
    """Makes a network or another part of one's own known under a name; its code is run.

    Args:
        code: as the user gives it.
        name: what the setting of a study says, whose place is never looked at.

    Raises:
        ConfigError: if it cannot be imported.
        ResourceError: if a package here is not the one that its digest is of.
    """
    if code.field != NETWORK:
        use_part(code, name)
        return
    known = FAMILIES.get(name)
    if not isinstance(known, LoadedNetwork) or known.code != code:
        FAMILIES[name] = LoadedNetwork(code)


def made_known(named: Iterable[tuple[str, str]]) -> list[OwnCode]:
    """Runs the code of parts of one's own, given by field and name, and returns it.

    Raises:
        ConfigError: with a line for each that cannot be imported.
    """
    with every_rule() as rules:
        found = [rules.attempt(partial(_code_of, field, name)) for field, name in named]
        codes = [code for code in found if code is not None]
        for code in codes:
            rules.attempt(partial(use, [code]))
    return codes


def _code_of(field: str, name: str) -> OwnCode:
    return read_code(name) if field == NETWORK else read_own_code(field, name)


def use_described(sheet: Mapping[str, Any], where: str) -> None:
    """Makes the parts of one's own known that the sheet of a study describes; no code is run.

    Args:
        sheet: the values of ``study.json``.
        where: the file, for a message.

    Raises:
        StorageError: if a description is none.
    """
    by_name: dict[str, list[Described]] = {}
    for one in read_descriptions(sheet.get("networks", []), where):
        by_name.setdefault(one.name, []).append(one)
    for name, described in by_name.items():
        FAMILIES[name] = DescribedNetwork(described)
    for one in sheet.get("own", ()):
        describe_part(one["field"], one["name"], one["source"])


def lines_told(names: Iterable[str]) -> list[str]:
    """Returns what a study says of networks that were made known by ``use``: what can be pruned."""
    told = []
    for name in names:
        if isinstance(row := FAMILIES[name], LoadedNetwork):
            for outline in row.outlines.values():
                sizes = {one: math.prod(shape) for one, shape in outline.shapes.items()}
                prunable = sum(sizes[weight_name(layer)] for layer in outline.kinds)
                told.append(
                    f"{name}: {prunable:,} of {sum(sizes.values()):,} parameters can be pruned, in "
                    f"{len(outline.kinds)} layers{remark_on(row.code)}"
                )
    return told


def descriptions(names: Iterable[str]) -> list[dict[str, Any]]:
    """Returns what the sheet of a study says of networks that were made known by ``use``."""
    return [
        written(Described(name=name, source=row.source, shape=shape, classes=classes, outline=it))
        for name in names
        if isinstance(row := FAMILIES[name], LoadedNetwork)
        for (shape, classes), it in row.outlines.items()
    ]

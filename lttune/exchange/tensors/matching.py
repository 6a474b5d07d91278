"""Tensors of another program's names, matched to the names that are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import takewhile

from torch import Tensor

from lttune.errors import DataError

Shapes = Mapping[str, tuple[int, ...]]


def unwrapped(found: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """Returns the found tensors without what a wrapper puts before their names, or with it.

    All of "module.fc1.weight", "module.fc2.weight" lose what is before the wanted "fc1.weight", and
    get it if it is the wanted names that have it. Names of which none is met then stay as they are.
    """
    names = set(wanted)
    for prefix in _prefixes(found):
        bare = {name.removeprefix(prefix): value for name, value in found.items()}
        if bare.keys() & names:
            return bare
    for prefix in _prefixes(names):
        whole = {prefix + name: value for name, value in found.items()}
        if whole.keys() & names:
            return whole
    return dict(found)


def _prefixes(names: Iterable[str]) -> list[str]:
    """Returns what all names begin with, up to a dot: nothing, then ever more."""
    parts = zip(*(name.split(".")[:-1] for name in names), strict=False)
    common = [one for one, *_ in takewhile(lambda own: len({*own}) == 1, parts)]
    return ["".join(f"{part}." for part in common[:count]) for count in range(len(common) + 1)]


def matched(
    found: Mapping[str, Tensor], wanted: Shapes, ordered: bool, source: str
) -> dict[str, Tensor]:
    """Returns the found tensors under wanted names, in the wanted order.

    By name, if every found name is wanted, see ``unwrapped``. Else by shape: where only one wanted
    and one found tensor have it, or, if both orders are those of a module, place by place.

    Args:
        found: tensors by the names that the source gives them.
        wanted: name -> shape. A name that nothing is found for is left out.
        ordered: whether both orders are those of a module.
        source: what an error calls the source.

    Raises:
        DataError: if a shape is not the wanted one, or several tensors could be meant.
    """
    found = unwrapped(found, wanted)
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    if found.keys() <= wanted.keys():
        for name, shape in shapes.items():
            if shape != wanted[name]:
                raise DataError(f"{source}: {name} must have shape {wanted[name]}, found {shape}")
        names = {name: name for name in found}
    elif ordered and list(shapes.values()) == list(wanted.values()):
        names = dict(zip(wanted, found, strict=True))
    else:
        names = _by_shape(shapes, wanted, source)
    return {name: found[names[name]] for name in wanted if name in names}


def _by_shape(shapes: Shapes, wanted: Shapes, source: str) -> dict[str, str]:
    """Returns wanted name -> found name."""
    often = Counter(wanted.values())
    names: dict[str, str] = {}
    for name, shape in shapes.items():
        fits = [other for other, size in wanted.items() if size == shape]
        if not fits:
            raise DataError(
                f"{source}: {name} of shape {shape} is no layer of the network, whose shapes are "
                f"{', '.join(f'{n} {s}' for n, s in wanted.items())}"
            )
        rivals = [other for other, size in shapes.items() if size == shape]
        if often[shape] > 1 or len(rivals) > 1:
            raise DataError(
                f"{source}: {', '.join(rivals)} of shape {shape} could each be any of "
                f"{', '.join(fits)}; give them the network's names"
            )
        names[fits[0]] = name
    return names

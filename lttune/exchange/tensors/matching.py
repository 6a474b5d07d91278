"""Tensors of another program's names, matched to the names that are wanted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from torch import Tensor

from lttune.errors import DataError

Shapes = Mapping[str, tuple[int, ...]]


def matched(
    found: Mapping[str, Tensor], wanted: Shapes, ordered: bool, source: str
) -> dict[str, Tensor]:
    """Returns the found tensors under wanted names, in the wanted order.

    By name, if every found name is wanted. Else by shape: where only one wanted and one found
    tensor have it, or, if both orders are those of a module, place by place.

    Args:
        found: tensors by the names that the source gives them.
        wanted: name -> shape. A name that nothing is found for is left out.
        ordered: whether both orders are those of a module.
        source: what an error calls the source.

    Raises:
        DataError: if a shape is not the wanted one, or several tensors could be meant.
    """
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

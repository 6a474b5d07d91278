"""The code of a network of one's own: as that of all parts of one's own, or torchvision's.

A network of torchvision is identified by its name and torchvision's version, and by the sources of
that where it is developed here.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

from torch import nn

from lttune.config.lottery.model import TORCHVISION, is_of_torchvision
from lttune.errors import unknown
from lttune.records.own.bringers import places_of
from lttune.records.own.code import (
    OwnCode,
    other_package,
    own_function,
    read_own_code,
    sha256_of_texts,
)
from lttune.records.own.developed import developed_sources, is_developed

NetworkFunction = Callable[[tuple[int, int, int], int], nn.Module]
"""Shape of a picture (channels, height, width), classes -> a new module."""

NETWORK = "model.name"
"""The setting that names networks."""


def read_code(name: str) -> OwnCode:
    """Returns the code that ``model.name`` stands for; of a package, its parents are imported.

    Raises:
        ConfigError: if it is not there, or imports what no digest can stand for.
    """
    if not is_of_torchvision(name):
        return read_own_code(NETWORK, name)
    function = name.rpartition(":")[2]
    identity = [TORCHVISION, importlib.metadata.version(TORCHVISION), function]
    try:
        # Who brings it is known: all that is installed is looked through only where it matters.
        is_here = any(is_developed(place, [TORCHVISION]) for place in places_of(TORCHVISION))
        developed = developed_sources([TORCHVISION]) if is_here else {}
    except OSError as error:
        OwnCode(field=NETWORK, name=name, digest="").failed("cannot be read", error)
    identity += [sources for _, sources in sorted(developed.items())]
    return OwnCode(field=NETWORK, name=name, digest=sha256_of_texts(*identity))


def function_of(code: OwnCode) -> NetworkFunction:
    """Runs the code and returns the function that makes the network.

    Raises:
        ConfigError: if it cannot be imported, or has no such function.
        ResourceError: if a package here is not the one that the digest is of.
    """
    if not is_of_torchvision(code.name):
        return own_function(code)
    if read_code(code.name).digest != code.digest:
        raise other_package(code)
    return _torchvision(code)


def remark_on(code: OwnCode) -> str:
    """Returns what is to be said of a network's code, after a comma, or ""."""
    if not is_of_torchvision(code.name):
        return ""
    version = importlib.metadata.version(TORCHVISION)
    return f", as torchvision {version} makes it: stem and poolings are those for large pictures"


def _torchvision(code: OwnCode) -> NetworkFunction:
    """Returns torchvision's function of a network, which draws new weights and fetches none."""
    # It takes a second to import, and few studies need it.
    import torchvision.models

    names = torchvision.models.list_models(module=torchvision.models)
    if code.function not in names:
        raise unknown("model.name", code.name, [f"{TORCHVISION}:{name}" for name in names])
    build = torchvision.models.get_model_builder(code.function)
    return lambda shape, classes: build(weights=None, num_classes=classes)

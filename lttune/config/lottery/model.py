"""Which network is trained and how its weights are drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from lttune.config.fields import is_number
from lttune.config.own import OWN_NAMES_OF_CODE
from lttune.config.rules import every_rule

InitName = Literal[
    "glorot_normal",
    "glorot_truncated",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "orthogonal",
    "normal",
    "binary",
    "module",
]
NormInitName = Literal["ones", "uniform", "symmetric"]

TORCHVISION = "torchvision"
"""The package whose networks have its name as their place."""
NAMES = (
    r"lenet(-[1-9]\d{0,3}){1,8}",
    r"lenet5",
    r"conv-[246]",
    r"resnet-(20|32|44|56|110)(-[1-9]\d{0,2})?",
    r"resnet(18|34|50)(-[1-9]\d{0,2})?",
    r"vgg-(11|13|16|19)(-[1-9]\d{0,2})?",
    r"densenet-(22|40|100)-(12|24)",
    rf"{TORCHVISION}:[a-z]\w*",
    *OWN_NAMES_OF_CODE,
)
"""Patterns of the networks' names; the last three are of networks of one's own."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network is trained and how its weights are drawn."""

    name: str = "lenet-300-100"
    """Network: lenet-H1-H2-... (fully connected, ReLU, those hidden widths; layers fc1, fc2, ...,
    out), lenet5 (6 and 16 channels, then 120 and 84 units), conv-2, conv-4, conv-6, resnet-20, -32,
    -44, -56, -110 (CIFAR; resnet-20-32 starts with 32 channels instead of 16), resnet18, resnet34,
    resnet50 (resnet18-32 with 32 instead of 64), vgg-11, -13, -16, -19 (vgg-19-32 with 32 instead
    of 64), or densenet-DEPTH-GROWTH (CIFAR; depth 22, 40 or 100, growth 12 or 24). ResNets, VGGs
    and DenseNets have batch norm. Pictures may be grey or coloured, of any size that the network's
    poolings leave something of; 8 x 8 pixels are enough for all. Your own: ./FILE.py:FUNCTION or
    PACKAGE.MODULE:FUNCTION, a function of the shape of a picture (channels, height, width) and the
    number of classes that returns an nn.Module, or torchvision:NAME, such as torchvision:resnet18,
    as it is there, with new weights (docs/your-own-network.md)."""
    init: InitName = "glorot_normal"
    """Initialisation: glorot_normal draws N(0, 2 / (fan_in + fan_out)), as in the paper;
    glorot_truncated has the same deviation but no tails, as the authors' code; he_* scale by
    fan_in; orthogonal has a gain of sqrt(2); normal draws N(0, init_std^2); binary is
    +-sqrt(2 / fan_in). Biases are zero. module leaves all of it to the layers' own constructors."""
    init_std: float = 0.05
    """Standard deviation of 'normal', > 0. The other initialisations do not read it."""
    init_scale: float = 1.0
    """Factor of every drawn weight, > 0."""
    norm_init: NormInitName = "ones"
    """Initial scale of batch norm: ones, uniform in [0, 1], or symmetric: uniform in [-1, 1]."""
    dropout: float = 0.0
    """Probability of dropping an activation after each hidden fully connected layer, in [0, 1);
    the paper's is 0.5 for conv-2, -4 and -6. Networks without such layers refuse it."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        known = isinstance(self.name, str) and any(re.fullmatch(p, self.name) for p in NAMES)
        rule = (
            "lenet-H1-H2-... with widths up to 9999, lenet5, conv-2|4|6, resnet-20|32|44|56|110, "
            "resnet18|34|50, vgg-11|13|16|19 (these three may end in -WIDTH up to 999) or "
            "densenet-22|40|100-12|24; or your own: ./FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION or "
            "torchvision:NAME"
        )
        with every_rule() as rules:
            rules.kinds(self, "model.")
            rules.require(known, "model.name", rule, self.name)
            rules.choice("model.init", self.init, InitName)
            for name in ("init_std", "init_scale"):
                value = getattr(self, name)
                ok = is_number(value) and value > 0
                rules.require(ok, f"model.{name}", "a finite number > 0", value)
            rules.choice("model.norm_init", self.norm_init, NormInitName)
            ok = is_number(self.dropout) and 0 <= self.dropout < 1
            rules.require(ok, "model.dropout", "in [0, 1)", self.dropout)


def is_own_network(name: str) -> bool:
    """Returns whether a network's name is of one that lttune does not make itself."""
    return ":" in name


def is_of_torchvision(name: str) -> bool:
    """Returns whether a network's name is of one that torchvision makes, as it is installed here.

    What stands before the last colon is the place: ``torchvision:net.py:network`` is of a file.
    """
    return name.rpartition(":")[0] == TORCHVISION

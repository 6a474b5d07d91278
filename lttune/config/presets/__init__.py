"""The rows of the paper's Figure 2 as configurations (Frankle & Carbin 2019).

Those of LOW and WARMUP have the learning rates with which section 4 finds tickets.
"""

from __future__ import annotations

from lttune.config.presets.conv import (
    CONV_2,
    CONV_2_DROPOUT,
    CONV_4,
    CONV_4_DROPOUT,
    CONV_6,
    CONV_6_DROPOUT,
)
from lttune.config.presets.lenet import LENET_300_100
from lttune.config.presets.resnet import RESNET_20, RESNET_20_LOW, RESNET_20_WARMUP
from lttune.config.presets.scales import DIGITS, SHORTENED
from lttune.config.presets.vgg import VGG_19, VGG_19_LOW, VGG_19_WARMUP

__all__ = [
    "CONV_2",
    "CONV_2_DROPOUT",
    "CONV_4",
    "CONV_4_DROPOUT",
    "CONV_6",
    "CONV_6_DROPOUT",
    "DIGITS",
    "LENET_300_100",
    "RESNET_20",
    "RESNET_20_LOW",
    "RESNET_20_WARMUP",
    "SHORTENED",
    "VGG_19",
    "VGG_19_LOW",
    "VGG_19_WARMUP",
]

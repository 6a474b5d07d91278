"""The rows of the paper's Figure 2 as configurations (Frankle & Carbin 2019), by name."""

from __future__ import annotations

from lttune.config import LotteryConfig
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

PRESETS: dict[str, LotteryConfig] = {
    "lenet-300-100": LENET_300_100,
    "conv-2": CONV_2,
    "conv-4": CONV_4,
    "conv-6": CONV_6,
    "conv-2-dropout": CONV_2_DROPOUT,
    "conv-4-dropout": CONV_4_DROPOUT,
    "conv-6-dropout": CONV_6_DROPOUT,
    "resnet-20": RESNET_20,
    "resnet-20-low": RESNET_20_LOW,
    "resnet-20-warmup": RESNET_20_WARMUP,
    "vgg-19": VGG_19,
    "vgg-19-low": VGG_19_LOW,
    "vgg-19-warmup": VGG_19_WARMUP,
}
"""Every row; -low and -warmup are the learning rates with which section 4 finds tickets."""

__all__ = [
    "CONV_2",
    "CONV_2_DROPOUT",
    "CONV_4",
    "CONV_4_DROPOUT",
    "CONV_6",
    "CONV_6_DROPOUT",
    "DIGITS",
    "LENET_300_100",
    "PRESETS",
    "RESNET_20",
    "RESNET_20_LOW",
    "RESNET_20_WARMUP",
    "SHORTENED",
    "VGG_19",
    "VGG_19_LOW",
    "VGG_19_WARMUP",
]

"""Networks of one's own for tests: the one of docs/your-own-network.md, and small ones."""

from __future__ import annotations

import re
from pathlib import Path

from lttune.config import LotteryConfig, ModelConfig
from lttune.data import load
from lttune.models import Network, build
from lttune.models.own import read_code, use
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "your-own-network.md"
GREY, COLOUR = (8, 8), (3, 32, 32)

MLP = """
from torch import nn

def network(shape, classes):
    channels, height, width = shape
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * height * width, 12),
        nn.ReLU(),
        nn.Linear(12, classes),
    )
"""
"""What the sparse engine can train."""


def page_block(first: str) -> str:
    """Returns the block of code of the page that begins with a comment."""
    (code,) = re.findall(rf"```python\n# {re.escape(first)}\n(.*?)```", PAGE.read_text(), re.S)
    return code


def written(folder: Path, source: str, file: str = "net.py", function: str = "network") -> str:
    """Writes a file and returns the name of its network."""
    (folder / file).write_text(source)
    return f"{folder / file}:{function}"


def made(name: str, shape: tuple[int, ...] = GREY, classes: int = 10, **config) -> Network:
    """Returns a network after its code was run."""
    use([read_code(name)])
    return build(ModelConfig(name=name, **config), shape, classes)


def lab(folder: Path, lottery: LotteryConfig, engine=None) -> Lab:
    """Returns a laboratory of a study's dataset."""
    name = lottery.data.name
    return Lab({name: load(name)}, engine or TorchEngine(), Store(folder / "cells"))

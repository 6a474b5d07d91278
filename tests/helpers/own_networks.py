"""Networks of one's own for tests: the one of docs/your-own-network.md, and small ones."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
from fractions import Fraction
from pathlib import Path

from digits_place import empty_database
from one_process import one_process

from lttune.config import ModelConfig
from lttune.models import Network, build
from lttune.models.own import read_code, use
from lttune.study import main

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


OUT = "self.out = nn.Linear(pixels, classes)"
FLAT = "return self.out(x.flatten(1))"
"""The constructor and the forward of a module of one layer, for ``module_of``."""


def page_block(first: str, page: Path = PAGE) -> str:
    """Returns the block of code of a page that begins with a comment."""
    (code,) = re.findall(rf"```python\n# {re.escape(first)}\n(.*?)```", page.read_text(), re.S)
    return code


def written(folder: Path, source: str, file: str = "net.py", function: str = "network") -> str:
    """Writes a file and returns the name of its network."""
    (folder / file).write_text(source)
    return f"{folder / file}:{function}"


def made(name: str, shape: tuple[int, ...] = GREY, classes: int = 10, **config) -> Network:
    """Returns a network after its code was run."""
    use([read_code(name)])
    return build(ModelConfig(name=name, **config), shape, classes)


def module_of(body: str, forward: str, folder: Path, more: str = "") -> Network:
    """Returns a network whose module has this constructor and this forward."""
    source = f"""
import torch
from torch import nn
{more}

class Net(nn.Module):
    def __init__(self, shape, classes):
        super().__init__()
        pixels = shape[0] * shape[1] * shape[2]
        {body}

    def forward(self, x):
        {forward}

network = Net
"""
    return made(written(folder, source))


def left(weights: int, fraction: str, level: int) -> int:
    """Returns how many of a layer's weights survive so many levels."""
    for _ in range(level):
        weights -= int(Fraction(fraction) * weights)
    return weights


def run(
    folder: Path, *flags: str, alone: bool = True, file: str = "my_study.py"
) -> tuple[int, str]:
    """Runs a page's study in the folder that is worked in; returns its exit code and words.

    Args:
        folder: that one.
        flags: more of them.
        alone: without Ray, by the code that a worker runs.
        file: the study's.
    """
    if not (folder / "mlflow.db").exists():
        (folder / "mlflow.db").write_bytes(empty_database())
    made, text = runpy.run_path(str(folder / file)), io.StringIO()
    arguments = ["--tracking-uri", f"sqlite:///{folder}/mlflow.db", "--max-concurrent", "1"]
    within = one_process() if alone else contextlib.nullcontext()
    with within, contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = main(made["STUDY"], made["write_report"], "", [*arguments, *flags])
    return code, text.getvalue()

"""Functions that measure, for tests: in files of their own, as a user has them."""

from __future__ import annotations

from pathlib import Path

from one_worker import TINY
from own_parts import NEWS, known

from lttune.records.schema import OWN_MEASURES
from lttune.store.store import Store
from lttune.trajectory.measurements.own import MEASURE

SHORT = TINY.override({"levels": 1})
SEEN = """
def seen(step, network):
    pictures, classes = network.examples()
    right = network.module()(pictures).argmax(1) == classes
    kept = sum(int(keep.sum()) for keep in network.mask.values())
    return {"accuracy": right.float().mean(), "kept": kept, "at": step}
"""
"""What the records have too: validation accuracy, survivors, the step."""

CARELESS = '''
import math
import torch


def careless(step, network):
    """Writes into all that it gets, and sets whatever PyTorch has for the process."""
    module, (pictures, labels) = network.module(), network.examples()
    norm = float(network.weights[next(iter(network.mask))].norm())
    for value in (*module.parameters(), *network.weights.values(), pictures):
        value.data.fill_(math.nan)
    for value in (*network.mask.values(), labels):
        value.zero_()
    network.weights.clear()
    torch.manual_seed(step)
    torch.rand(7)
    torch.set_num_threads(3)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_flush_denormal(True)
    torch.set_float32_matmul_precision("medium")
    torch.backends.cudnn.deterministic = False
    return norm
'''


def measuring(folder: Path, source: str, function: str, file: str = "measures.py") -> str:
    """Writes a file, makes its function known and returns its name."""
    return known(folder, MEASURE, source, file, function)


def giving(folder: Path, what: str, before: str = "", file: str = "giving.py") -> str:
    """Returns the name of a function ``part`` that returns the value of an expression."""
    source = f"import math\nimport numpy as np\nimport torch\nseen = []\n\n{before}\n"
    source += f"def part(step, network):\n    return {what}\n"
    return measuring(folder, source, "part", file)


def plain(found):
    """Returns rows without what is measured of one's own, and without times and keys."""
    left = (*NEWS, MEASURE)
    return [
        {n: v for n, v in row.items() if n not in left and not n.startswith(OWN_MEASURES)}
        for row in found
    ]


def cell(row, folder):
    """Returns the cell of a row's network, from the store in a folder."""
    found = Store(folder).read(row["cell"])
    assert found is not None
    return found

"""The compact form of a ticket: small, read with numpy alone, and back again."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors
import stored_study
import torch
from exchanged import NETWORK, ticket
from safetensors.torch import save_file

from lttune.__main__ import main
from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.errors import DataError
from lttune.exchange.tensors import compact, read
from lttune.exchange.tickets import Place, find_network

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"
(READER,) = [
    block
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)
    if "def read_compact" in block
]
COMPARED = """
import importlib.util, sys
assert not any(map(importlib.util.find_spec, ("lttune", "torch")))
arrays, masks = read_compact(sys.argv[1])
dense = load_file(sys.argv[2])
assert arrays.keys() == dense.keys(), arrays.keys() ^ dense.keys()
for name, value in dense.items():
    assert value.dtype == arrays[name].dtype and value.shape == arrays[name].shape
    assert value.tobytes() == arrays[name].tobytes(), name
np.savez(sys.argv[3], **masks)
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study whose level 1 keeps a tenth of every layer."""
    lottery = LotteryConfig(
        levels=1,
        data=DataConfig(name="digits"),
        model=ModelConfig(name="lenet-1000-300"),
        train=TrainConfig(steps=2, eval_every=2, eval_test=False, eval_train=0),
        prune=PruneConfig(fraction=0.9, fractions={"out": 0.9}),
    )
    return stored_study.make(tmp_path_factory.mktemp("study") / "results", lottery)


@pytest.fixture(scope="module")
def files(study, tmp_path_factory):
    """The ticket's two forms, compact and as a state dict."""
    folder = tmp_path_factory.mktemp("files")
    for form in ("compact", "state-dict"):
        flags = f"--level 1 --form {form} --out {folder / form}.safetensors"
        assert main(["export", str(study), *flags.split()]) == 0
    return folder / "compact.safetensors", folder / "state-dict.safetensors"


def test_it_is_a_seventh_of_the_dense_file_at_a_tenth_of_the_weights(study, files):
    small, whole = (path.stat().st_size for path in files)
    assert small <= 0.15 * whole
    found = find_network(Place(study=study, level=1))
    # Four bytes a survivor, a bit a place; the rest is as dense, and says what it is.
    places, kept = (sum(int(f(k)) for k in found.mask.values()) for f in (torch.numel, torch.sum))
    assert 4 * kept + places / 8 <= small <= 4 * kept + places / 8 + 4 * 1310 + 6000
    assert kept / places == pytest.approx(0.1, abs=1e-5)
    assert not files[0].with_suffix(".mask.safetensors").exists()


@pytest.mark.slow
def test_numpy_and_safetensors_are_enough_to_read_it(study, files, tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    for package in (np, safetensors):
        site = Path(package.__file__).parents[1]
        for path in site.glob(f"{package.__name__}*"):  # With the libraries beside numpy.
            (packages / path.name).symlink_to(path)
    assert len(READER.splitlines()) <= 20
    code = f"import sys\nsys.path.insert(0, {str(packages)!r})\n{READER}\n{COMPARED}"
    # Without site-packages, whatever is installed there.
    command = [sys.executable, "-I", "-S", "-c", code, *files, tmp_path / "masks.npz"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    mask = find_network(Place(study=study, level=1)).mask
    with np.load(tmp_path / "masks.npz") as found:
        assert sorted(found) == sorted(mask)
        assert all(np.array_equal(found[name], keep.numpy()) for name, keep in mask.items())


def test_the_commands_read_it(study, files, capsys):
    assert main(["masks", str(files[0]), f"{study}:0/0/1"]) == 0
    overall = [line for line in capsys.readouterr().out.splitlines() if line.startswith("all")]
    assert overall[0].split()[-2] == "1.0000"
    flags = ["--mask", str(files[0]), "--start", str(files[0]), "--replicates", "1"]
    assert main(["transfer", str(study), *flags, "--steps", "2"]) == 0


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("values", None, r"fc1.weight must have all parts of a compact tensor, lacks fc1.*values$"),
        ("shape", None, r"lacks fc1.weight.shape$"),
        ("values", torch.ones(3), r"fc1.weight must have a value for each of \d+ survivors, got"),
        ("values", torch.ones(2, 2), r"survivors, got \(2, 2\)$"),
        (
            "shape",
            torch.tensor([20, 65]),
            r"must have a bit for each place of its shape",
        ),
        ("shape", torch.tensor([1 << 62, 1 << 62]), "must have a bit for each place"),
        ("shape", torch.tensor([-20, -64]), "must have a bit for each place"),
        ("shape", torch.tensor([20.0, 64.0]), "must have a bit for each place .* for none$"),
        ("shape", torch.ones(99, dtype=torch.int64), "must have a bit for each place"),
        ("mask_bits", torch.zeros(160), r"got torch.float32 of \(160,\) for \(20, 64\)$"),
        ("mask_bits", torch.zeros(2, 80, dtype=torch.uint8), r"got torch.uint8 of \(2, 80\)"),
    ],
)
def test_parts_that_do_not_belong_together_are_told(tmp_path, part, value, message):
    tensors = compact(*ticket(NETWORK), NETWORK, 0) | {f"fc1.weight.{part}": value}
    path = tmp_path / "x.safetensors"
    save_file({name: own for name, own in tensors.items() if own is not None}, path)
    with pytest.raises(DataError, match=message) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: fc1.weight must ")

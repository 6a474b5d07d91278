"""What every measurement of one's own must do: give numbers, and change nothing."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.control import TRUNK
from lttune.config.lottery.model import is_own_network
from lttune.config.seeding import stream
from lttune.data import load
from lttune.data.resident import Examples
from lttune.models import Network
from lttune.models.own import read_code, use
from lttune.records.own import known_part, use_named
from lttune.records.schema import OWN_MEASURES
from lttune.store.cells import Cell
from lttune.store.store import Store
from lttune.testing.evidences import SMALL_NETWORK, digits_examples
from lttune.testing.expected import expect, global_draws_untouched
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab, network_of
from lttune.trajectory.measurements.observed import ObservedNetwork
from lttune.trajectory.measurements.own import MEASURE, OwnMeasures
from lttune.trajectory.measurements.settings import settings_kept
from lttune.trajectory.trial import run_trial

PICTURES_MEASURED = 237
"""Validation pictures of digits, as of a study."""


def check_measure(name: str, network: str = SMALL_NETWORK) -> None:
    """Checks everything that is asked of a measurement.

    Args:
        name: as one of ``train.measure``: FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION.
        network: as ``model.name``, for pictures of digits: what the function knows of layers' names
            must be of this one.

    Raises:
        AssertionError: with what it must do and does not.
        ConfigError: if it cannot be imported, raises an error, or gives no numbers.
    """
    config = LotteryConfig(
        levels=1,
        data=DataConfig(name="digits"),
        model=ModelConfig(name=network),
        train=TrainConfig(
            measure=(name,), lr=5e-3, batch_size=50, steps=20, eval_every=10, eval_train=0
        ),
    )
    use_named(MEASURE, name)
    if is_own_network(network):
        use([read_code(network)])
    made = network_of(config, load("digits"))
    check_numbers(name, made)
    check_looks_only(name, made)
    check_measured_training(config)


def check_numbers(name: str, network: Network) -> None:
    """Checks that numbers are finite and the same again, of two half-pruned networks."""
    measures = OwnMeasures([name], lambda weights: _seen(network, weights), lambda step: step)
    for seed in range(2):
        weights = network.initial_weights(stream(seed, 0, "init"))
        found, again = measures(seed, weights), measures(seed, weights)
        for what, number in found.items():
            expect(number is not None, f"{name} must give a finite {what} of a sound network")
        expect(found == again, f"{name} must give the same numbers of the same network again")


def check_looks_only(name: str, network: Network) -> None:
    """Checks that nothing is changed of what is looked at, nor of PyTorch.

    That is weights, masks, pictures, modules with their buffers, modes and gradients, generators,
    threads, default type and whether gradients are computed.
    """
    weights = network.initial_weights(stream(0, 0, "init"))
    seen, fresh = _seen(network, weights), _seen(network, weights)
    before = _settings()
    draws = "draw from generators of its own, no global one"
    with settings_kept(), global_draws_untouched(name, draws):
        known_part(MEASURE, name).called(0, seen)
        after = _settings()
    expect(after == before, f"{name} must leave PyTorch's threads and settings as they were")
    for field_of, values, untouched in (
        ("weights", seen.weights, fresh.weights),
        ("mask", seen.mask, fresh.mask),
    ):
        expect(_same(values, untouched), f"{name} must leave network.{field_of} as it was")
    for given in seen.given:
        same = all(torch.equal(*pair) for pair in zip(given, fresh.examples(), strict=True))
        expect(same, f"{name} must leave what network.examples() gives as it was")
    plain = fresh.module()
    for module in seen.modules:
        _expect_untouched(name, module, plain)


def check_measured_training(config: LotteryConfig) -> None:
    """Checks that networks are the same to the bit beside the measurement, and it the same again.

    Args:
        config: of a small trajectory, with one function that measures.
    """
    (name,) = config.train.measure
    plain, *measured = [
        _trained(config.override({MEASURE: names})) for names in ((), (name,), (name,))
    ]
    for cells in measured:
        same = [
            _same(cell.tensors, other.tensors) and _shared(other) == _shared(cell)
            for cell, other in zip(cells, plain, strict=True)
        ]
        expect(all(same), f"{name} must change no network that is trained")
    records = [[cell.record for cell in cells] for cells in measured]
    expect(records[0] == records[1], f"{name} must give the same numbers when a study is run again")


@dataclass(frozen=True, kw_only=True, eq=False)
class _WatchedNetwork(ObservedNetwork):
    """A network that remembers what it gave away."""

    modules: list[nn.Module] = field(default_factory=list)
    given: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def module(self) -> nn.Module:
        self.modules.append(super().module())
        return self.modules[-1]

    def examples(self) -> tuple[Tensor, Tensor]:
        self.given.append(super().examples())
        return self.given[-1]


def _seen(network: Network, weights: dict[str, Tensor]) -> _WatchedNetwork:
    """Returns a network of which half of the prunable weights are pruned, as at an evaluation."""
    rng = stream(0, 0, "mask")
    mask = {n: torch.from_numpy(rng.random(network.shapes[n]) < 0.5) for n in network.prunable}
    validation: Examples = digits_examples().take(np.arange(PICTURES_MEASURED))
    return _WatchedNetwork(
        branch=TRUNK,
        level=1,
        weights={n: v * mask[n] if n in mask else v.clone() for n, v in weights.items()},
        mask=mask,
        _network=network,
        _validation=validation,
    )


def _settings() -> tuple[Any, ...]:
    return torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) and not value.requires_grad and value.grad is None
        for name, value in one.items()
    )


def _expect_untouched(name: str, module: nn.Module, plain: nn.Module) -> None:
    """Raises ``AssertionError`` if a module is no longer as it was given away."""
    modes = [part.training for part in module.modules()]
    expect(not any(modes), f"{name} must leave the mode of network.module() as it was")
    for what in ("parameters", "buffers"):
        values, others = (dict(getattr(one, f"named_{what}")()) for one in (module, plain))
        same = values.keys() == others.keys() and all(
            torch.equal(value, others[one]) and value.requires_grad == others[one].requires_grad
            for one, value in values.items()
        )
        expect(same, f"{name} must leave the {what} of network.module() as they were")
    clean = all(value.grad is None for value in module.parameters())
    expect(clean, f"{name} must leave no gradients in network.module(): torch.autograd.grad")


def _trained(config: LotteryConfig) -> list[Cell]:
    """Returns the cells of a trajectory and a control, in the order of the records."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        lab = Lab({"digits": load("digits")}, TorchEngine(), store)
        reports = list(run_trial(config, [0], ["reinit"], lab))
        found = [store.read(row["cell"]) for report in reports for row in report["rows"]]
    return [cell for cell in found if cell is not None]


def _shared(cell: Cell) -> dict[str, Any]:
    """Returns what was measured of a network by everybody."""
    values = cell.record["measures"]
    return {name: value for name, value in values.items() if not name.startswith(OWN_MEASURES)}

"""What every network must do: those of lttune and one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.lottery.model import is_own_network
from lttune.config.seeding import stream
from lttune.data import load
from lttune.models import Network, build
from lttune.models.layers import weight_name
from lttune.models.own import read_code, use
from lttune.models.own.draws import seeded
from lttune.pruning.densities import planned_densities
from lttune.testing.expected import expect, global_draws_untouched
from lttune.testing.trained import reports_of
from lttune.trajectory.lab import network_of

SHAPES = ((8, 8), (3, 32, 32))
"""Pictures that a network is asked about: grey ones and coloured ones."""


def check_network(name: str, shapes: Sequence[tuple[int, ...]] = SHAPES) -> None:
    """Checks everything that is asked of a network.

    Args:
        name: as ``model.name``: of lttune, FILE.py:FUNCTION, PACKAGE.MODULE:FUNCTION or
            torchvision:NAME.
        shapes: of pictures that it is for, [H, W] or [C, H, W]; on (8, 8), those of digits, it is
            trained as well.

    Raises:
        AssertionError: with what it must do and does not.
        ConfigError: if it cannot be imported, made or trained, with the reason.
    """
    if is_own_network(name):
        use([read_code(name)])
    for shape in shapes:
        network = build(ModelConfig(name=name), shape, 10)
        check_drawn(network)
        check_gradients(network, shape)
    if (8, 8) in shapes:
        check_network_trains(name)


def check_drawn(network: Network) -> None:
    """Checks that initial weights fit, are finite and the replicate's own, by its stream alone."""
    name = network.config.name
    with global_draws_untouched(name):
        one, same, other = (
            network.initial_weights(stream(0, replicate, "init")) for replicate in (0, 0, 1)
        )
    for tensor, shape in network.shapes.items():
        fits = tuple(one[tensor].shape) == shape and bool(one[tensor].isfinite().all())
        expect(fits, f"{name} must begin with finite values of shape {shape} in {tensor}")
        equal = torch.equal(one[tensor], same[tensor])
        expect(equal, f"{name} must draw {tensor} from the stream that it is given alone")
    drawn = [not torch.equal(one[tensor], other[tensor]) for tensor in network.prunable]
    expect(all(drawn), f"{name} must begin each replicate with other prunable weights")


def check_gradients(network: Network, shape: tuple[int, ...]) -> None:
    """Checks logits in training and evaluation, and that each prunable tensor has a gradient."""
    name, layers = network.config.name, network.kinds
    module = network.opened("cpu")
    module.load_state_dict(network.initial_weights(stream(0, 0, "init")), strict=False)
    pictures = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    with seeded(0):
        for training in (True, False):
            logits = module.train(training)(pictures)
            fits = tuple(logits.shape) == (4, 10) and bool(logits.isfinite().all())
            expect(fits, f"{name} must give finite logits [4, 10], got {tuple(logits.shape)}")
        functional.cross_entropy(module.train()(pictures), torch.arange(4)).backward()
    found = dict(module.named_parameters())
    for layer in layers:
        value = found[weight_name(layer)].grad
        ok = value is not None and bool(value.isfinite().all()) and bool(value.any())
        expect(ok, f"{name} must have a finite gradient of {layer} that is not 0 everywhere")


def check_network_trains(name: str) -> None:
    """Checks that a trajectory on digits runs from end to end, prunes the counts that are planned.

    Run again it must be the same.
    """
    config = LotteryConfig(
        levels=2,
        data=DataConfig(name="digits"),
        model=ModelConfig(name=name),
        train=TrainConfig(lr=1e-3, batch_size=50, steps=4, eval_every=2, eval_train=50),
        prune=PruneConfig(fraction=0.4, fractions={}),
    )
    found: list[list[tuple[str, float | None]]] = []
    planned = planned_densities(config, network_of(config, load("digits")))
    for _ in range(2):
        reports = reports_of(config)
        densities = [report["density"] for report in reports]
        near = all(map(math.isclose, densities, planned)) and len(densities) == len(planned)
        expect(near, f"{name} must reach the densities {planned}, got {densities}")
        rows = [row for report in reports for row in report["rows"]]
        found.append([(row["cell"], row["val_loss"]) for row in rows])
    expect(found[0] == found[1], f"{name} must give the same networks when a study is run again")

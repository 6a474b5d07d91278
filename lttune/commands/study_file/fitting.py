"""Settings that fit a network and pictures: what is pruned how fast, what is varied how far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.config.design import Factor, Integer, LogUniform, Uniform
from lttune.config.rules import every_mistake, every_rule
from lttune.data import Dataset, load
from lttune.data.transforms import training_size
from lttune.models import Network
from lttune.models.layers import weight_name
from lttune.models.own import made_known
from lttune.study.checks.configurations import check_space
from lttune.study.search.space import space_of
from lttune.trajectory.checks.own_names import own_names
from lttune.trajectory.lab import network_of

USUAL_FRACTION = 0.2
"""Share of the survivors that a kind of layer loses per level, as in most of the paper."""
SLOWER = {"out": USUAL_FRACTION / 2, "shortcut": 0.0}
"""Kinds that lose less: outputs half, and residual connections' convolutions nothing, as in the
paper."""
FEW_WEIGHTS = 50
"""Layers of fewer weights stay whole: a small fraction of them would be less than a weight."""
LEAST_SHARE = 0.05
"""Share of the prunable weights from which on the fraction of a kind is worth varying."""
MOST_KINDS = 2
"""Kinds whose fractions are varied: each factor more takes more points."""
BATCH_SIZE = 60
"""Pictures a step, as in the paper, if a fourth of the training pictures are as many."""
SPREAD_OF_BATCH = 3
"""Batch sizes are varied from a third to three times of the base configuration's."""


@dataclass(frozen=True, kw_only=True)
class FittedSettings:
    """What a study of a network on a dataset trains and varies, whatever its scale."""

    lottery: LotteryConfig
    """The base configuration, but for what depends on the scale."""
    factors: tuple[Factor, ...]
    network: Network
    dataset: Dataset

    @property
    def weights(self) -> Mapping[str, int]:
        """Layer that can be pruned -> its number of weights."""
        return _weights(self.network)

    @property
    def parameters(self) -> int:
        """Number of all parameters, those that cannot be pruned too."""
        return sum(map(math.prod, self.network.shapes.values()))


def fitted_settings(data: str, model: str) -> FittedSettings:
    """Returns settings that fit; the code of a network of one's own is run, data may be fetched.

    Args:
        data: as ``data.name``.
        model: as ``model.name``.

    Raises:
        LttuneError: if one of them is none, or they do not fit together, with all reasons.
    """
    with every_mistake() as mistakes:
        plain = mistakes.attempt(lambda: _named(data, model))
        known = None if plain is None else mistakes.attempt(lambda: made_known(own_names(plain)))
        dataset = None if known is None else mistakes.attempt(lambda: load(data))
    assert plain is not None
    assert dataset is not None
    network = network_of(plain, dataset)
    examples = training_size(dataset, plain.data)
    batch_size = max(1, min(BATCH_SIZE, examples // 4))
    lottery = LotteryConfig(
        data=plain.data,
        model=plain.model,
        train=TrainConfig(batch_size=batch_size, eval_test=False, eval_train=0),
        prune=PruneConfig(fraction=USUAL_FRACTION, fractions=_fractions(network)),
    )
    factors = (
        Factor(path="train.lr", distribution=LogUniform(low=1e-4, high=1e-2)),
        *_batch_sizes(batch_size, examples),
        *(
            Factor(path=f"prune.fractions.{kind}", distribution=Uniform(low=0.1, high=0.4))
            for kind in _varied_kinds(network)
        ),
    )
    check_space(space_of(factors), lottery.override({"levels": 1}), {data: dataset})
    return FittedSettings(lottery=lottery, factors=factors, network=network, dataset=dataset)


def _named(data: str, model: str) -> LotteryConfig:
    with every_rule():
        return LotteryConfig(data=DataConfig(name=data), model=ModelConfig(name=model))


def _weights(network: Network) -> dict[str, int]:
    return {layer: math.prod(network.shapes[weight_name(layer)]) for layer in network.kinds}


def _fractions(network: Network) -> dict[str, float]:
    """Returns kind, or layer that is too small, -> share that a level removes."""
    kinds, weights = network.kinds, _weights(network)
    found = {kind: SLOWER.get(kind, USUAL_FRACTION) for kind in dict.fromkeys(kinds.values())}
    if found.keys() <= SLOWER.keys():  # As of a network of one layer, that of the logits.
        found = dict.fromkeys(found, USUAL_FRACTION)
    small = [layer for layer, count in weights.items() if count < FEW_WEIGHTS]
    if len(small) < len(weights):
        found |= {layer: 0.0 for layer in small if found[kinds[layer]]}
    return found


def _varied_kinds(network: Network) -> list[str]:
    """Returns the kinds that hold most of the weights, in the order of the layers."""
    weights, sizes = _weights(network), dict[str, int]()
    for layer, kind in network.kinds.items():
        if weights[layer] >= FEW_WEIGHTS:
            sizes[kind] = sizes.get(kind, 0) + weights[layer]
    main = {kind: size for kind, size in sizes.items() if kind not in SLOWER} or sizes
    least = LEAST_SHARE * sum(weights.values())
    largest = sorted(main, key=lambda kind: -main[kind])[:MOST_KINDS]
    return [kind for kind in main if kind in largest and main[kind] >= least]


def _batch_sizes(batch_size: int, examples: int) -> list[Factor]:
    """Returns the factor of the batch size; none where there are too few pictures to vary it."""
    low = max(2, batch_size // SPREAD_OF_BATCH)
    high = min(SPREAD_OF_BATCH * batch_size, examples)
    if low >= high:
        return []
    return [Factor(path="train.batch_size", distribution=Integer(low=low, high=high, log=True))]

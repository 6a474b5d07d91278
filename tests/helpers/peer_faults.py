"""A small trajectory in which the faults of other systems would show."""

import dataclasses

from evidences import network as network_named

from lttune.config import DataConfig, LotteryConfig, ModelConfig, PruneConfig, TrainConfig
from lttune.data import load
from lttune.models import masks
from lttune.pruning.criteria import evidence_of
from lttune.pruning.rule import prune
from lttune.store.store import Store
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.lottery import trajectories
from lttune.trajectory.task import weights_of

DIGITS = load("digits")
CONFIG = LotteryConfig(
    levels=3,
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-20-10"),
    train=TrainConfig(
        optimizer="momentum",
        lr=0.1,
        weight_decay=1e-3,
        warmup_steps=10,
        milestones=(70,),
        batch_size=50,
        steps=80,
        eval_every=10,
        eval_train=100,
    ),
    prune=PruneConfig(fraction=0.3, fractions={"out": 0.15}),
)
LENET = ModelConfig(name="lenet-300-100")


class Recording(TorchEngine):
    """The reference engine; it writes down what each of its sessions is told."""

    def __init__(self, fail_at=None):
        super().__init__()
        self.sessions, self.fail_at = [], fail_at

    def open(self, *args, **options):
        if len(self.sessions) == self.fail_at:
            raise KeyboardInterrupt
        session = super().open(*args, **options)
        run, told = session.run, {"rates": [], "state": dict(session._optimizer.state)}

        def recorded(examples, batches, rates):
            told["rates"] += rates
            run(examples, batches, rates)

        session.run = recorded
        self.sessions.append(told)
        return session


def lab_in(folder, engine=None, dataset=DIGITS, seed=0):
    return Lab({"digits": dataset}, engine or TorchEngine(), Store(folder), seed)


def walked(lab, config=CONFIG, replicate=0):
    return [levels[0] for levels in trajectories(config, [replicate], lab)]


def trained(level):
    return weights_of(level.stored.cell, level.junction.network)


def largest_change(before, after, keep):
    return min(float((after[n] - before[n])[k].abs().max()) for n, k in keep.items())


def pruned_once(weights, config, mask=None):
    """Returns the mask of one level of the weights of a layer fc1."""
    network = dataclasses.replace(network_named("lenet-12-8"), kinds={"fc1": "fc"})
    mask = mask or masks.ones(weights, list(weights))
    return prune(evidence_of(weights, mask, network), config)


def above(values, count):
    """The rule of two peers: keeps what lies above the sorted value at a place."""
    return values > values.sort().values[count]

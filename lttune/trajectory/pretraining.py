"""Initial weights that were trained before: general pretraining (open_lth's ``pretrain``).

The trajectory then rewinds to them, as it would to newly drawn ones (Frankle et al. 2020 look at
weights after some steps of the task itself; Chen et al. 2021 at pretrained ones).
"""

from __future__ import annotations

from lttune.config import LotteryConfig
from lttune.config.seeding import stream
from lttune.models import Network, masks
from lttune.models.masks import Weights
from lttune.trajectory.lab import Lab
from lttune.trajectory.task import Task, Ticket, weights_of


def initial_weights(
    config: LotteryConfig, replicate: int, lab: Lab, network: Network
) -> tuple[Weights, str | None]:
    """Returns the weights that a trajectory begins with, and the cell that trained them.

    They are newly drawn; with ``pretrain.steps`` they are then trained on the pretraining's
    examples. A layer of another shape there, the logits of another number of classes, is newly
    drawn. Batch norm's running moments start fresh.
    """
    drawn = network.initial_weights(stream(lab.seed, replicate, "init"))
    if config.pretrain.steps == 0:
        return drawn, None
    train = config.pretrain.training(config.train)
    data = config.pretrain.dataset(config.data)
    source = config.trained_by(train, data=data)
    elsewhere = lab.network(source)
    start = elsewhere.initial_weights(stream(lab.seed, replicate, "init"))
    task = Task(
        identity={"pretraining": lab.identity(source, replicate)},
        config=source,
        network=elsewhere,
        replicate=replicate,
        level=0,
        ticket=Ticket(mask=masks.ones(start, elsewhere.prunable), start=start),
        train=train,
        first_step=0,
        order="pretrain",
        keep=True,
    )
    stored = lab.train([task])[0]
    trained = weights_of(stored.cell, elsewhere)
    weights = {
        name: trained[name] if trained[name].shape == value.shape else value
        for name, value in drawn.items()
        if name in network.shapes
    }
    return drawn | weights, stored.key

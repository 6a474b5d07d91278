"""Random weights and what is pruned of them."""

import torch

from lttune.config import ModelConfig
from lttune.models import Network, masks
from lttune.pruning import rule
from lttune.pruning.criteria import evidence_of

KINDS = {"fc1": "fc", "fc2": "fc", "out": "out"}
SHAPES = {"fc1.weight": (30, 20), "fc2.weight": (10, 30), "out.weight": (5, 10)}


def random_weights(seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in SHAPES.items()}


def network_of(weights, kinds):
    """Returns a network of these weights that computes nothing."""
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    return Network(
        make=torch.nn.Identity, shapes=shapes, kinds=kinds, roles={}, config=ModelConfig()
    )


def prune(weights, mask, config, kinds, like=None):
    """Prunes by the trained weights of layers of these kinds."""
    return rule.prune(evidence_of(weights, mask, network_of(weights, kinds)), config, like)


def dense() -> masks.Mask:
    return masks.ones(random_weights(0), list(SHAPES))

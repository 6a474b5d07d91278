"""The loss of the untrained network under its mask, as the gradient criteria differentiate it.

Lee et al. (2019) and Wang et al. (2020) measure the network as it would begin to train: batch norm
takes the moments of the batch. Its running moments say nothing before training. Dropout is off, for
a score is no place for its noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd

from lttune.models import Network
from lttune.models.layers import Dropout
from lttune.models.masks import Weights, apply
from lttune.models.own.draws import seeded
from lttune.pruning.criteria.evidence import Evidence

CHUNK = 128
"""Examples of a forward pass: bounds the memory of its graph, and is a batch of batch norm."""


def opened(network: Network) -> nn.Module:
    """Returns a module without values for ``functional_call``, in training mode, dropout off."""
    module = network.opened("meta")
    module.train()
    for part in module.modules():
        if isinstance(part, Dropout | _DropoutNd):
            part.eval()
    return module


def leaves(evidence: Evidence) -> Weights:
    """Returns the initial parameters with zeros where pruned; the prunable require a gradient."""
    weights = apply(evidence.initial, evidence.mask)
    return {n: weights[n].requires_grad_(n in evidence.mask) for n in evidence.network.shapes}


def shares(evidence: Evidence, weights: Weights, temperature: float = 1.0) -> Iterator[Tensor]:
    """Yields each chunk's share of the mean cross-entropy of all examples (nats).

    Args:
        evidence: the network and the examples.
        weights: its parameters.
        temperature: divides the logits.
    """
    module = opened(evidence.network)
    chunks = evidence.inputs.split(CHUNK), evidence.labels.split(CHUNK)
    for inputs, labels in zip(*chunks, strict=True):
        # Batch norm in training mode updates its running moments in place.
        moments = {name: evidence.initial[name].clone() for name in evidence.network.buffers}
        with seeded(0):
            logits = functional_call(module, weights | moments, (inputs,)) / temperature
        yield functional.cross_entropy(logits, labels, reduction="sum") / len(evidence.labels)


def gradients(evidence: Evidence, temperature: float = 1.0) -> Weights:
    """Returns the gradient of the mean loss with respect to each prunable tensor."""
    weights = leaves(evidence)
    names = list(evidence.mask)
    total = {name: torch.zeros_like(weights[name]) for name in names}
    for share in shares(evidence, weights, temperature):
        parts = torch.autograd.grad(share, [weights[name] for name in names])
        for name, part in zip(names, parts, strict=True):
            total[name] += part
    return total

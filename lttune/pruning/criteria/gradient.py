"""Criteria of the loss around the untrained network: gradient, SNIP and GraSP."""

from __future__ import annotations

import torch
from torch import Tensor

from lttune.pruning.criteria.evidence import Evidence
from lttune.pruning.criteria.loss import gradients, leaves, shares

TEMPERATURE = 200.0
"""Divides the logits in GraSP, which smooths the softmax: the authors' setting."""


def gradient(evidence: Evidence) -> dict[str, Tensor]:
    """|g| of the initial weights under the mask: Zhou et al. (2019), supplement."""
    return {name: g.abs() for name, g in gradients(evidence).items()}


def snip(evidence: Evidence) -> dict[str, Tensor]:
    """|g w|, the connection sensitivity: Lee et al. (2019), equations 5 and 6.

    Their division by the sum of all changes no order.
    """
    return {name: (g * evidence.initial[name]).abs() for name, g in gradients(evidence).items()}


def grasp(evidence: Evidence) -> dict[str, Tensor]:
    """Gradient flow lost with a weight, w * Hg: Wang et al. (2020), equation 8.

    Their S(-w) = -w * Hg is how much the squared norm of the gradient grows when w is removed, to
    first order and up to a factor of 2; weights of large S go, those of low -S here. g and H are of
    the prunable weights.
    """
    slope = gradients(evidence, TEMPERATURE)
    weights, names = leaves(evidence), list(slope)
    inputs = [weights[name] for name in names]
    scores = {name: torch.zeros_like(weights[name]) for name in names}
    for share in shares(evidence, weights, TEMPERATURE):
        parts = torch.autograd.grad(share, inputs, create_graph=True)
        product = torch.stack([(p * slope[n]).sum() for n, p in zip(names, parts, strict=True)])
        for name, value in zip(names, torch.autograd.grad(product.sum(), inputs), strict=True):
            scores[name] += value * weights[name].detach()
    return scores

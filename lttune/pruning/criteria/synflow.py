"""The criterion that reads no examples: SynFlow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import functional_call

from lttune.models.masks import Weights, apply
from lttune.pruning.criteria.evidence import Evidence
from lttune.pruning.criteria.loss import opened


def synflow(evidence: Evidence) -> dict[str, Tensor]:
    """dR/dw * w of the linearised network, divided by its maximum: Tanaka et al. (2020), section 5.

    R is the sum of the outputs for an input of ones when every weight is its magnitude, biases are
    zero and batch norm only scales. For a chain of layers a weight's score is the sum over the
    paths through it of the product of |w| along the path. Its authors iterate it: ``prune.rounds``
    of 100, in global scope. Deep networks need the range of float64.
    """
    weights = _linearised(evidence)
    ones = torch.ones(1, *evidence.inputs.shape[1:], dtype=torch.float64)
    flow = functional_call(opened(evidence.network).eval(), weights, (ones,)).sum()
    names = list(evidence.mask)
    slopes = torch.autograd.grad(flow, [weights[name] for name in names])
    scores = {n: s * weights[n].detach() for n, s in zip(names, slopes, strict=True)}
    most = max(float(score.max()) for score in scores.values())
    return {name: (score / (most or 1.0)).float() for name, score in scores.items()}


def _linearised(evidence: Evidence) -> Weights:
    weights = apply(evidence.initial, evidence.mask)
    linear = {
        name: value.double().abs() if value.is_floating_point() else value
        for name, value in weights.items()
    }
    for name, value in linear.items():
        if name.endswith((".bias", ".running_mean")):
            value.zero_()
        elif name.endswith(".running_var"):
            value.fill_(1.0)
    return {name: value.requires_grad_(name in evidence.mask) for name, value in linear.items()}

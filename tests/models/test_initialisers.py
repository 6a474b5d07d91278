"""Initialisers: distributions against scipy's, fans against torch's, the paper's deviations."""

import math
from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from lttune.config import ModelConfig
from lttune.config.lottery.model import InitName
from lttune.models.initialisers import INITIALISERS, fans, glorot_std, he_std, initial_values

LAYERS = [(300, 784), (10, 100), (128, 64, 3, 3), (64, 32, 1, 1)]
CUT = stats.truncnorm(-2, 2)


def drawn(shape, seed=0, role="fc", **config):
    values = initial_values(ModelConfig(**config), role, shape, np.random.default_rng(seed))
    assert values.dtype == torch.float32
    assert values.shape == shape
    return values


def sample(shape, **config):
    return drawn(shape, **config).double().flatten().numpy()


def test_every_name_has_a_function():
    # Of "module" the layers' own constructors are that.
    assert {*INITIALISERS, "normal", "module"} == set(get_args(InitName))


@pytest.mark.parametrize("shape", LAYERS)
def test_fans_are_torchs(shape):
    assert fans(shape) == nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))


@pytest.mark.parametrize("shape", LAYERS)
@pytest.mark.parametrize(
    ("init", "std", "distribution"),
    [
        ("glorot_normal", glorot_std, stats.norm()),
        ("glorot_uniform", glorot_std, stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))),
        ("glorot_truncated", glorot_std, stats.truncnorm(-2, 2, scale=1 / CUT.std())),
        ("he_normal", he_std, stats.norm()),
        ("he_uniform", he_std, stats.uniform(-math.sqrt(3), 2 * math.sqrt(3))),
    ],
)
def test_values_have_the_distribution_of_their_name(init, std, distribution, shape):
    assert distribution.std() == pytest.approx(1)
    values = sample(shape, init=init) / std(shape)
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-3
    # Values are not correlated: the deviation of a mean of n is 1 / sqrt(n).
    assert abs(values.mean()) < 4 / math.sqrt(values.size)


@pytest.mark.parametrize("shape", LAYERS)
def test_deviations_are_those_of_torchs_initialisers(shape):
    weight = torch.empty(shape)
    for std, torchs in (
        (glorot_std, nn.init.xavier_normal_),
        (he_std, partial(nn.init.kaiming_normal_, nonlinearity="relu")),
    ):
        torch.manual_seed(0)
        found = torchs(weight).double().std().item()
        assert std(shape) == pytest.approx(found, rel=5 / math.sqrt(2 * weight.numel()))


@pytest.mark.parametrize(
    ("shape", "std"), [((300, 784), 0.0430), ((100, 300), 0.0707), ((10, 100), 0.1348)]
)
def test_lenets_glorot_deviations_are_the_papers(shape, std):
    assert glorot_std(shape) == pytest.approx(std, abs=5e-5)


@pytest.mark.parametrize("std", [0.0125, 0.025, 0.05, 0.1, 0.2, 0.4])
def test_normal_has_the_deviations_of_figure_30_in_every_layer(std):
    for shape in LAYERS:
        values = sample(shape, init="normal", init_std=std)
        assert stats.kstest(values, stats.norm(scale=std).cdf).pvalue > 1e-3


def test_the_truncated_normal_has_no_tails():
    values = sample((300, 784), init="glorot_truncated") * CUT.std() / glorot_std((300, 784))
    assert 1.99 < np.abs(values).max() <= 2.000001


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30), (16, 3, 3, 3), (32, 2, 3, 3)])
def test_orthogonal_rows_or_columns_have_the_length_sqrt_2(shape):
    matrix = drawn(shape, init="orthogonal").double().flatten(1)
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert torch.allclose(product, 2 * torch.eye(len(product), dtype=torch.double), atol=1e-5)


def test_orthogonal_matrices_prefer_no_direction():
    # Without the signs of R's diagonal, QR's own convention shows in the corner.
    corners = [drawn((4, 4), seed, init="orthogonal")[0, 0].item() for seed in range(400)]
    assert stats.binomtest(sum(c > 0 for c in corners), 400).pvalue > 1e-3
    # A row of a random orthogonal 4 x 4 matrix is uniform on the sphere: (c + 1) / 2 is Beta.
    shares = (np.array(corners) / math.sqrt(2) + 1) / 2
    assert stats.kstest(shares, stats.beta(1.5, 1.5).cdf).pvalue > 1e-3


def test_binary_is_a_fair_sign_times_hes_deviation():
    values = sample((128, 64, 3, 3), init="binary")
    assert np.allclose(np.abs(values), math.sqrt(2 / (64 * 9)), rtol=1e-6)
    assert stats.binomtest(int((values > 0).sum()), values.size).pvalue > 1e-3


@pytest.mark.parametrize("init", sorted({*INITIALISERS, "normal"}))
def test_the_scale_multiplies_every_drawn_weight(init):
    plain, scaled = (drawn((20, 30), init=init, init_scale=scale) for scale in (1.0, 0.25))
    assert torch.equal(scaled, plain * 0.25)


@pytest.mark.parametrize("init", sorted({*INITIALISERS, "normal"}))
def test_a_stream_decides_the_values(init):
    assert torch.equal(drawn((20, 30), 1, init=init), drawn((20, 30), 1, init=init))
    assert not torch.equal(drawn((20, 30), 1, init=init), drawn((20, 30), 2, init=init))


def test_biases_are_zero_and_norms_are_not_scaled():
    assert not drawn((9,), role="bias", init_scale=3.0).any()
    assert torch.equal(drawn((9,), role="norm", init_scale=3.0), torch.ones(9))
    uniform = sample((5_000,), role="norm", norm_init="uniform", init_scale=3.0)
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    both = sample((5_000,), role="norm", norm_init="symmetric", init_scale=3.0)
    assert stats.kstest(both, stats.uniform(-1, 2).cdf).pvalue > 1e-3

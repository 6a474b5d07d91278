"""Each criterion's scores against a table, or an oracle that computes them in another way."""

import copy
import itertools

import pytest
import torch
from evidences import evidence, fresh
from torch.nn import functional

from lttune.config import ModelConfig, PruneConfig
from lttune.config.seeding import stream
from lttune.models import build, masks
from lttune.pruning.criteria import CRITERIA, loss
from lttune.pruning.rule import prune

ONE = "fc1.weight"


def only(initial, trained, mask=None):
    """Returns evidence of one layer of these weights."""
    initial, trained = {ONE: torch.tensor(initial)}, {ONE: torch.tensor(trained)}
    mask = {ONE: torch.tensor(mask)} if mask else masks.ones(initial, [ONE])
    return fresh(evidence(), initial=initial, trained=trained, mask=mask)


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("magnitude", [2.0, 0.5, 3.0, 1.0]),
        ("large_final", [2.0, 0.5, 3.0, 1.0]),
        ("small_final", [-2.0, -0.5, -3.0, -1.0]),
        ("large_init", [1.0, 2.0, 0.5, 4.0]),
        ("small_init", [-1.0, -2.0, -0.5, -4.0]),
        ("large_init_large_final", [0.5, 0.25, 0.25, 0.5]),
        ("small_init_small_final", [-0.75, -0.75, -1.0, -1.0]),
        ("magnitude_increase", [1.0, -1.5, 2.5, -3.0]),
        ("movement", [1.0, 2.5, 2.5, 5.0]),
        ("large_final_same_sign", [2.0, 0.0, 3.0, 0.0]),
        ("large_final_diff_sign", [0.0, 0.5, 0.0, 1.0]),
        ("magnitude_increase_same_sign", [1.0, 0.0, 2.5, 0.0]),
        ("magnitude_increase_diff_sign", [0.0, -1.5, 0.0, -3.0]),
    ],
)
def test_scores_of_four_weights(criterion, expected):
    found = only([1.0, 2.0, -0.5, -4.0], [2.0, -0.5, -3.0, 1.0])
    assert CRITERIA[criterion](found)[ONE].tolist() == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_quadrant_is_what_lies_beyond_one_common_percentile(seed):
    found = evidence(seed=seed, keep=0.7)
    keep = found.mask[ONE]
    before, after = (w[ONE][keep].abs() for w in (found.initial, found.trained))
    count = int(keep.sum())
    for share in (0.2, 0.5, 0.9):
        at = round(share * count)
        both = (before > before.kthvalue(at).values) & (after > after.kthvalue(at).values)
        neither = (before <= before.kthvalue(at).values) & (after <= after.kthvalue(at).values)
        for criterion, expected in (
            ("large_init_large_final", both),
            ("small_init_small_final", neither),
        ):
            score = CRITERIA[criterion](found)[ONE][keep]
            highest = score.argsort(descending=True)[: int(expected.sum())]
            assert set(highest.tolist()) == set(expected.nonzero().flatten().tolist())


def test_equal_weights_have_equal_ranks_and_pruned_ones_none():
    found = only([0.5, -0.5, 0.5, 9.0], [1.0, 2.0, 3.0, 9.0], [True, True, True, False])
    score = CRITERIA["large_init_large_final"](found)[ONE]
    # All initial magnitudes are equal, as binary initialisation makes them: training decides.
    torch.testing.assert_close(score[:3], torch.tensor([1 / 3, 2 / 3, 1.0]))


def test_random_scores_are_uniform_and_new_in_each_round():
    found = evidence("lenet-300-100")
    one, two = CRITERIA["random"](found), CRITERIA["random"](found)
    values = torch.cat([score.flatten() for score in one.values()])
    counts = values.histc(10, 0, 1) / len(values)
    assert (counts - 0.1).abs().max() < 0.01
    assert not any(torch.equal(one[name], two[name]) for name in one)


def exact_loss(found, temperature=1.0):
    """Returns the mean loss in float64 as a function of all prunable weights in one vector."""
    module = build(found.network.config, (8, 8), 10).make().double()
    state = {n: v.double() for n, v in masks.apply(found.initial, found.mask).items()}
    sizes = [keep.numel() for keep in found.mask.values()]
    x, y = found.inputs.double(), found.labels

    def at(flat):
        parts = zip(found.mask.items(), flat.split(sizes), strict=True)
        weights = state | {name: part.view(keep.shape) for (name, keep), part in parts}
        logits = torch.func.functional_call(module, weights, x)
        return functional.cross_entropy(logits / temperature, y)

    return at, torch.cat([state[name].flatten() for name in found.mask])


def flat(scores):
    return torch.cat([score.flatten() for score in scores.values()]).double()


@pytest.mark.parametrize("criterion", ["gradient", "snip"])
def test_sensitivities_are_finite_differences_of_the_loss(criterion):
    found = evidence()
    at, start = exact_loss(found)
    scores = flat(CRITERIA[criterion](found))
    alive = torch.cat([keep.flatten() for keep in found.mask.values()]).nonzero().flatten()
    for index in alive[:: len(alive) // 40]:
        step = torch.zeros_like(start)
        # Lee et al. vary the connection c in c * w; the gradient's own unit is w.
        step[index] = 1e-6 * (start[index] if criterion == "snip" else 1.0)
        slope = (at(start + step) - at(start - step)) / 2e-6
        assert scores[index] == pytest.approx(abs(float(slope)), rel=1e-3, abs=1e-8)


def test_grasp_is_the_hessian_gradient_product_of_autograd_in_float64():
    found = evidence()
    at, start = exact_loss(found, temperature=200.0)
    slope = torch.autograd.functional.jacobian(at, start)
    product = torch.autograd.functional.hvp(at, start, slope)[1]
    scores, expected = flat(CRITERIA["grasp"](found)), start * product
    assert (scores - expected).norm() < 1e-5 * expected.norm()


def test_grasp_first_removes_what_raises_the_gradient_flow_most():
    # Wang et al.: the weights that stay are those whose removal would reduce the flow.
    found = evidence()
    at, start = exact_loss(found, temperature=200.0)
    scores = flat(CRITERIA["grasp"](found))

    def flow(weights):
        return float(torch.autograd.functional.jacobian(at, weights).square().sum())

    for index in (scores.argmin(), scores.argmax()):
        less, more = start.clone(), start.clone()
        less[index] *= 1 - 1e-4
        more[index] *= 1 + 1e-4
        change = (flow(less) - flow(more)) / 2e-4
        assert change == pytest.approx(-2 * float(scores[index]), rel=1e-3)
    assert scores.min() < 0 < scores.max()


def test_synflow_sums_over_the_paths_through_a_weight():
    net = build(ModelConfig(name="lenet-3-2"), (2, 2), 10)
    initial = net.initial_weights(stream(0, 0, "init"))
    initial["fc1.bias"] += 1.0  # Biases are no paths.
    rng = stream(0, 0, "mask")
    mask = {n: torch.from_numpy(rng.random(net.shapes[n]) < 0.8) for n in net.prunable}
    found = fresh(evidence(), network=net, initial=initial, mask=mask, inputs=torch.ones(0, 2, 2))
    one, two, out = (
        (initial[f"{layer}.weight"] * mask[f"{layer}.weight"]).double().abs() for layer in net.kinds
    )
    expected = {n: torch.zeros(net.shapes[n], dtype=torch.float64) for n in net.prunable}
    for i, j, k, m in itertools.product(range(4), range(3), range(2), range(10)):
        path = one[j, i] * two[k, j] * out[m, k]
        expected["fc1.weight"][j, i] += path
        expected["fc2.weight"][k, j] += path
        expected["out.weight"][m, k] += path
    most = max(score.max() for score in expected.values())
    for name, score in CRITERIA["synflow"](found).items():
        torch.testing.assert_close(score.double(), expected[name] / most, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("network", ["lenet-12-8", "conv-2"])
def test_synflow_is_conserved_from_layer_to_layer(network):
    # Tanaka et al., theorem 2: every layer is a cut through which all flow passes.
    sums = [float(s.double().sum()) for s in CRITERIA["synflow"](evidence(network, 1)).values()]
    assert sums == pytest.approx([sums[0]] * len(sums), rel=1e-5)


def test_synflow_in_a_hundred_rounds_leaves_no_layer_empty_where_one_round_does():
    found = evidence("lenet-300-100", examples=1, keep=1.0)
    counts = {}
    for rounds in (1, 100):
        config = PruneConfig(criterion="synflow", scope="global", rounds=rounds, one_shot=0.005)
        after = prune(found, config)
        counts[rounds] = [int(keep.sum()) for keep in after.values()]
        assert sum(counts[rounds]) == 251  # 0.005 of 50,200.
    assert min(counts[1]) == 0
    assert min(counts[100]) > 10


@pytest.mark.parametrize("criterion", ["gradient", "snip", "grasp"])
def test_batch_norm_takes_the_moments_of_the_batch(criterion):
    found = evidence("normed")
    module = copy.deepcopy(found.network.make()).double().train()
    state = masks.apply(found.initial, found.mask)
    module.load_state_dict({n: v.double() for n, v in state.items()}, strict=False)
    temperature = 200.0 if criterion == "grasp" else 1.0
    logits = module(found.inputs.double()) / temperature
    weights = [module.get_parameter(name) for name in found.mask]
    value = functional.cross_entropy(logits, found.labels)
    slopes = torch.autograd.grad(value, weights, create_graph=True)
    if criterion == "grasp":
        flow = sum(slope.square().sum() for slope in slopes) / 2
        expected = [w * s for w, s in zip(weights, torch.autograd.grad(flow, weights), strict=True)]
    else:
        unit = weights if criterion == "snip" else [1.0] * len(weights)
        expected = [(s * w).abs() for s, w in zip(slopes, unit, strict=True)]
    scores = CRITERIA[criterion](found)
    for name, exact in zip(found.mask, expected, strict=True):
        keep = found.mask[name]
        error = (scores[name].double() - exact)[keep].norm()
        assert error < 1e-4 * exact[keep].norm()


@pytest.mark.parametrize("criterion", ["gradient", "snip", "grasp", "synflow"])
def test_running_moments_are_not_read(criterion):
    found = evidence("normed")
    changed = {
        n: v + torch.arange(3.0, 3.0 + len(v)) if "running" in n else v
        for n, v in found.initial.items()
    }
    one, two = (CRITERIA[criterion](fresh(found, initial=w)) for w in (found.initial, changed))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("criterion", ["gradient", "snip", "grasp"])
def test_chunks_of_the_examples_give_the_scores_of_all(criterion, monkeypatch):
    found = evidence(examples=100)
    whole = CRITERIA[criterion](found)
    monkeypatch.setattr(loss, "CHUNK", 7)
    parts = CRITERIA[criterion](found)
    for name, score in whole.items():
        assert (parts[name] - score).norm() < 1e-4 * score.norm()


@pytest.mark.parametrize("criterion", ["gradient", "snip", "grasp", "synflow"])
def test_dropout_is_off(criterion):
    found = evidence()
    dropping = build(ModelConfig(name="lenet-12-8", dropout=0.5), (8, 8), 10)
    one, two = (CRITERIA[criterion](fresh(found, network=n)) for n in (found.network, dropping))
    assert all(torch.equal(one[name], two[name]) for name in one)

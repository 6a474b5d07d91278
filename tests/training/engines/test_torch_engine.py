"""What the reference engine alone can do: batch norm, dropout, precision, frozen kinds."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch_sessions import CONV, LENET, NORMED, POOL, batches, half, opened

from lttune.config import ModelConfig, SupermaskConfig, TrainConfig
from lttune.config.seeding import stream
from lttune.data.resident import Examples
from lttune.errors import ResourceError
from lttune.models import build, masks
from lttune.training.engines.processor import processor
from lttune.training.engines.stacked import StackedEngine
from lttune.training.engines.torch import TorchEngine
from lttune.training.engines.torch.engine import set_precision
from lttune.training.protocol import Material, Member


def distance(ours, expected):
    return float((ours.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam", "rmsprop"])
def test_a_convolutional_net_trains_as_a_plain_float64_loop(optimizer):
    config = TrainConfig(optimizer=optimizer, lr=1e-3, weight_decay=1e-3, steps=10, eval_every=10)
    mask, order = half(CONV), batches(3)
    start, session = opened(CONV, config, mask)
    session.run(POOL, order, [config.lr] * 3)
    module = CONV.make().double()
    module.load_state_dict({name: value.double() for name, value in start.items()})
    parameters = dict(module.named_parameters())
    plain = {
        "sgd": lambda p: torch.optim.SGD(p, 1e-3, weight_decay=1e-3),
        "nesterov": lambda p: torch.optim.SGD(p, 1e-3, 0.9, weight_decay=1e-3, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, 1e-3, weight_decay=1e-3),
        "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-3, weight_decay=1e-3),
    }[optimizer](list(parameters.values()))
    for index in order:
        x, y = POOL.batch(index)
        plain.zero_grad()
        functional.cross_entropy(module(x.double()), y).backward()
        for name, keep in mask.items():
            parameters[name].grad *= keep
        plain.step()
    for name, value in session.weights().items():
        assert distance(value, parameters[name].detach()) < 1e-3
        assert value.shape == CONV.shapes[name]


def test_weights_go_in_and_out_unchanged():
    start, session = opened(CONV, TrainConfig(steps=100))
    assert all(torch.equal(session.weights()[name], value) for name, value in start.items())
    session.run(POOL, batches(2), [1e-3] * 2)
    saved, measured = session.weights(), session.evaluate(POOL)
    session.run(POOL, batches(2), [1e-3] * 2)
    assert session.evaluate(POOL) != measured
    session.load(saved)
    assert session.evaluate(POOL) == measured


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop"])
def test_held_weights_keep_their_value_under_every_rule(optimizer):
    config = TrainConfig(optimizer=optimizer, lr=0.01, weight_decay=0.1, steps=100)
    mask = half(LENET)
    start, session = opened(LENET, config, mask, held=True)
    session.run(POOL, batches(10), [0.01] * 10)
    for name, keep in mask.items():
        assert torch.equal(session.weights()[name][~keep], start[name][~keep])
        assert (start[name][~keep] != 0).all()
        assert (session.weights()[name][keep] != start[name][keep]).float().mean() > 0.5


@pytest.mark.parametrize("kinds", [("fc",), ("out", "bias"), ("fc", "out")])
def test_frozen_kinds_do_not_move(kinds):
    config = TrainConfig(lr=0.01, weight_decay=0.1, steps=100, frozen=kinds)
    start, session = opened(LENET, config)
    session.run(POOL, batches(10), [0.01] * 10)
    for name, value in session.weights().items():
        moved = not torch.equal(value, start[name])
        assert moved == (LENET.roles[name] not in kinds)


def test_dropout_draws_from_its_stream_and_only_in_training():
    network = build(ModelConfig(name="lenet-24-12", dropout=0.5), (8, 8), 10)
    config = TrainConfig(steps=100)
    sessions = [opened(network, config, noise=stream(0, 0, name))[1] for name in "aab"]
    torch.manual_seed(0)
    untouched = torch.get_rng_state()
    for session in sessions:
        assert session.evaluate(POOL) == session.evaluate(POOL)
        session.run(POOL, batches(3), [1e-3] * 3)
    one, same, other = (session.weights()["fc1.weight"] for session in sessions)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), untouched)
    with pytest.raises(ValueError, match="stream of noise"):
        opened(network, config)


def test_bfloat16_is_near_float32_and_not_the_same():
    weights = {}
    for precision in ("float32", "bfloat16"):
        start, session = opened(CONV, TrainConfig(steps=100, precision=precision))
        session.run(POOL, batches(3), [1e-3] * 3)
        weights[precision] = session.weights()
        assert all(value.dtype == torch.float32 for value in weights[precision].values())
    name = "fc1.weight"
    gap = (weights["float32"][name] - weights["bfloat16"][name]).norm()
    moved = (weights["float32"][name] - start[name]).norm()
    assert 0 < gap < moved


def flags():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def supermask_member(precision="float32"):
    start = LENET.initial_weights(stream(0, 0, "init"))
    few = POOL.take(np.arange(100))
    return Member(
        network=LENET,
        start=start,
        mask=masks.ones(start, LENET.prunable),
        config=TrainConfig(optimizer="momentum", lr=20, steps=5, eval_every=5, precision=precision),
        material=Material(
            pool=POOL,
            train=np.arange(500),
            validation=few,
            test=few,
            train_sample=few,
            classes=10,
        ),
        order=stream(0, 0, "order"),
        noise=stream(0, 0, "noise"),
        supermask=SupermaskConfig(samples=1),
    )


def test_tf32_needs_cuda():
    rule = r"train\.precision must be float32 or bfloat16 on"
    with pytest.raises(ResourceError, match=rule):
        opened(LENET, TrainConfig(precision="tf32"))
    with pytest.raises(ResourceError, match=rule):
        TorchEngine().train([supermask_member("tf32")])


@pytest.mark.parametrize("kind", ["weights", "supermask"])
def test_whether_factors_are_rounded_never_depends_on_what_was_trained_before(kind):
    set_precision(TrainConfig(precision="tf32"), torch.device("cuda"))
    assert flags() == (True, True)
    try:
        if kind == "weights":
            opened(CONV, TrainConfig())
        else:
            TorchEngine().train([supermask_member()])
        assert flags() == (False, False)
    finally:
        set_precision(TrainConfig(), torch.device("cpu"))


def test_a_supermask_is_learned_in_the_precision_that_was_asked_for():
    weights = {
        precision: TorchEngine().train([supermask_member(precision)])[0].weights["fc1.weight"]
        for precision in ("float32", "bfloat16")
    }
    gap = (weights["float32"] - weights["bfloat16"]).norm()
    assert 0 < gap < weights["float32"].norm()
    assert all(value.dtype == torch.float32 for value in weights.values())


def test_convolutions_see_pictures_channels_last():
    coloured = Examples(POOL.x.unsqueeze(1).repeat(1, 3, 1, 1), POOL.y, POOL.shift, POOL.gain)
    network = build(ModelConfig(name="conv-2"), (3, 8, 8), 10)
    _, session = opened(network, TrainConfig(steps=100))
    seen = []
    for part in session._module.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_pre_hook(
                lambda part, inputs: seen.extend([inputs[0], part.weight])
            )
    session.run(coloured, batches(1), [1e-3])
    session.evaluate(coloured.take(np.arange(50)))
    assert len(seen) == 8
    assert all(t.is_contiguous(memory_format=torch.channels_last) for t in seen)
    assert not any(t.is_contiguous() for t in seen)


def test_running_moments_are_weights_of_the_network():
    network = NORMED
    start, session = opened(network, TrainConfig(steps=100))
    session.run(POOL, batches(5), [1e-3] * 5)
    module = network.make()
    module.load_state_dict(start, strict=False)
    module.train()
    with torch.no_grad():
        for index in batches(5):
            module(POOL.batch(index)[0])
    after, buffers = session.weights(), dict(module.named_buffers())
    for name in network.buffers:
        assert torch.allclose(after[name], buffers[name], atol=1e-6)
        assert not torch.equal(after[name], start[name])


def test_numerics_name_the_processor(monkeypatch):
    capability = torch.backends.cpu.get_cpu_capability()
    assert f"/cpu-{capability}/" in TorchEngine().numerics
    assert f"/cpu-{capability}/" in StackedEngine().numerics
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert processor(torch.device("cuda")) == "cuda-sm90-NVIDIA-H100-80GB-HBM3"

"""Steps of the reference engine as a CUDA graph, here with a capture that only records."""

import pytest
import torch
from torch_sessions import LENET, NORMED, POOL, batches, half, opened

from lttune.config import TrainConfig
from lttune.training.engines.torch.graph import Graph, worthwhile


class Recorded:
    """Stands in for a captured graph, whose warm-up takes some steps first."""

    def __init__(self):
        self.replays = 0

    def capture(self, act):
        for _ in range(3):
            act()

        def replay():
            self.replays += 1
            act()

        return replay


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_replayed_steps_are_the_plain_ones(optimizer):
    config = TrainConfig(optimizer=optimizer, lr=0.01, batch_size=32, steps=100)
    order = [batch[:20] if i in (0, 3) else batch for i, batch in enumerate(batches(7))]
    plain, graphed = (opened(LENET, config, half(LENET))[1] for _ in range(2))
    recorded = Recorded()
    graphed._graph = Graph(graphed._step, 32, graphed._state, recorded.capture)
    for session in (plain, graphed):
        session.run(POOL, order, [0.01] * 7)
    assert recorded.replays == 5
    for name, value in plain.weights().items():
        assert torch.equal(value, graphed.weights()[name])


def test_the_warm_up_of_a_capture_leaves_no_trace_in_running_moments():
    config = TrainConfig(optimizer="sgd", lr=0.01, batch_size=32, steps=100)
    plain, graphed = (opened(NORMED, config)[1] for _ in range(2))
    graphed._graph = Graph(graphed._step, 32, graphed._state, Recorded().capture)
    for session in (plain, graphed):
        session.run(POOL, batches(4), [0.01] * 4)
    for name, value in plain.weights().items():
        assert torch.equal(value, graphed.weights()[name]), name


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
@pytest.mark.parametrize("warmed", [0, 2])
def test_where_no_graph_can_be_captured_steps_are_taken_without(optimizer, warmed, caplog):
    def capture(act):
        for _ in range(warmed):
            act()
        raise RuntimeError("operation not permitted when stream is capturing")

    config = TrainConfig(optimizer=optimizer, lr=0.01, batch_size=32, steps=100)
    order = [batch[:20] if i == 0 else batch for i, batch in enumerate(batches(5))]
    plain, graphed = (opened(LENET, config, half(LENET))[1] for _ in range(2))
    graphed._graph = Graph(graphed._step, 32, graphed._state, capture)
    for session in (plain, graphed):
        session.run(POOL, order, [0.01] * 5)
    for name, value in plain.weights().items():
        assert torch.equal(value, graphed.weights()[name]), name
    assert [record.getMessage() for record in caplog.records] == [
        "torch engine: steps are no CUDA graph here, hence slower: "
        "operation not permitted when stream is capturing"
    ]


def test_a_replay_that_comes_first_begins_with_fresh_moments():
    config = TrainConfig(lr=0.01, batch_size=32, steps=100)
    plain, graphed = (opened(LENET, config)[1] for _ in range(2))
    graphed._graph = Graph(graphed._step, 32, graphed._state, Recorded().capture)
    for session in (plain, graphed):
        session.run(POOL, batches(4), [0.01] * 4)
    for name, value in plain.weights().items():
        assert torch.allclose(value, graphed.weights()[name], atol=1e-7)


def test_graphs_are_for_small_networks_on_cuda():
    assert worthwhile(torch.device("cuda"), 266_610)
    assert not worthwhile(torch.device("cuda"), 20_000_000)
    assert not worthwhile(torch.device("cpu"), 266_610)

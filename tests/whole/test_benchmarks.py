"""What the benchmarks do and measure; nothing here depends on how fast the machine is."""

import pickle
import runpy
import sys

import numpy as np
import pytest
import torch
from benchmark_results import NAMES, made_up

from benchmarks import __main__ as command
from benchmarks import (
    alone,
    bars,
    baselines,
    dataloader,
    loops,
    measurement,
    memory,
    pair,
    trajectory,
)
from lttune.config import LotteryConfig, TrainConfig
from lttune.data.dataset import Dataset
from lttune.errors import ConfigError, ResourceError
from lttune.models.masks import density
from lttune.store.plain_json import read_json
from lttune.training.schedule import evaluation_steps
from lttune.trajectory.lottery import planned_densities


def noise(*shape: int, train: int, validation: int) -> Dataset:
    """Returns random pictures of a shape, and as many of each of ten classes."""
    rng = np.random.default_rng(0)
    train_x, test_x = (rng.integers(0, 256, (n, *shape), dtype=np.uint8) for n in (train, 10))
    return Dataset(
        name="noise",
        train_x=train_x,
        train_y=np.arange(train) % 10,
        test_x=test_x,
        test_y=np.arange(10),
        classes=10,
        scale=255.0,
        mean=0.1307,
        std=0.3081,
        validation=validation,
        source="drawn here",
    )


@pytest.fixture
def workload():
    return trajectory.Workload(noise(4, 5, train=250, validation=50))


def test_levels_see_one_part_of_the_training_set_after_another(workload):
    parts = [workload.part(level, steps=1) for level in range(4)]
    assert [len(part) for part in parts] == [60] * 4
    assert len(np.unique(np.concatenate(parts[:3]))) == 180
    assert set(parts[3][:20]).isdisjoint(np.concatenate(parts[:3]))  # 200 examples, then again.
    assert set(parts[3][20:]) <= set(parts[0])
    assert set(workload.part(0, steps=100)) == set(workload.indices[0])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sparse"])
def test_a_trajectory_prunes_and_rewinds_as_a_study_does(name, workload):
    walked = trajectory.walk(loops.make(name, workload), workload, steps=2, levels=3)
    planned = planned_densities(LotteryConfig(levels=2), workload.network)
    assert [density(ticket.mask) for ticket in walked.tickets] == pytest.approx(planned)
    initial = workload.dense().start
    for ticket, timed in zip(walked.tickets, walked.levels, strict=True):
        for weight, keep in ticket.mask.items():
            assert torch.equal(ticket.start[weight], initial[weight] * keep)
            assert not timed.weights[weight][~keep].any()
            assert not torch.equal(timed.weights[weight], ticket.start[weight])
    seconds = [timed.steps_s + timed.evaluation_s for timed in walked.levels]
    assert min(seconds) > 0
    assert 0 < walked.between_s < walked.wall_s - sum(seconds)


@pytest.mark.parametrize("name", ["eager", "dataloader"])
@pytest.mark.parametrize("level", [0, 2])
def test_a_step_of_a_baseline_is_one_of_ours(name, level, workload):
    walked = trajectory.walk(loops.make("torch", workload), workload, steps=1, levels=3)
    ticket, train = walked.tickets[level], workload.part(level, steps=1)
    timed = loops.make(name, workload).level(ticket, train, steps=1)
    for weight, ours in walked.levels[level].weights.items():
        torch.testing.assert_close(timed.weights[weight], ours, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize(("name", "once"), [("eager", False), ("dataloader", True)])
def test_a_baseline_evaluates_when_the_protocol_does_or_once(
    name, once, steps, workload, monkeypatch
):
    monkeypatch.setattr(baselines, "EVAL_EVERY", 2)
    seen = []
    monkeypatch.setattr(
        baselines, "evaluate", lambda model, batches: seen.append(sum(len(y) for _, y in batches))
    )
    loops.make(name, workload).level(workload.dense(), workload.part(0, steps), steps)
    config = TrainConfig(steps=steps, eval_every=min(2, steps))
    evaluations = 1 if once else len(dict.fromkeys(evaluation_steps(config, 0)))
    assert seen == [50, 10] * evaluations


def test_all_baselines_see_the_same_pictures(workload):
    data = workload.dataset
    flat = baselines.resident(workload, data.train_x)
    pictures = dataloader.Pictures(data.train_x, data.train_y, *workload.scaling)
    assert len(pictures) == 250
    for index in (0, 7):
        picture, target = pictures[index]
        torch.testing.assert_close(picture.flatten(), flat[index])
        assert target == data.train_y[index]


def test_evaluate_is_a_mean_over_examples():
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    batches = [(logits[:2], torch.tensor([0, 1])), (logits[2:], torch.tensor([0]))]
    loss, accuracy = baselines.evaluate(torch.nn.Identity(), batches)
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0])))
    assert accuracy == pytest.approx(2 / 3)


def test_repetitions_are_interleaved_and_the_first_loop_changes():
    assert measurement.rounds(2) == [
        ["sparse", "torch", "sparse", "eager", "sparse", "dataloader"],
        ["sparse", "eager", "sparse", "dataloader", "sparse", "torch"],
    ]


def test_every_loop_is_measured_as_often_as_promised(workload, monkeypatch):
    monkeypatch.setattr(measurement, "SHOWN", (0, 2))
    monkeypatch.setattr(measurement, "walk", lambda *args: trajectory.walk(*args, levels=3))
    engine, eager = loops.make("torch", workload), loops.make("eager", workload)
    every = {"sparse": engine, "torch": engine, "eager": eager, "dataloader": eager}
    first, times, walls = measurement.measure(every, workload, steps=1, repetitions=2)
    assert len(first.tickets) == 3
    assert {name: len(values) for name, values in walls.items()} == {
        "sparse": 6,
        "torch": 2,
        "eager": 2,
    }
    counts = {name: {k: len(v) for k, v in levels.items()} for name, levels in times.items()}
    assert counts == {
        "sparse": dict.fromkeys(range(3), 6),
        "torch": dict.fromkeys(range(3), 2),
        "eager": dict.fromkeys(range(3), 2),
        "dataloader": dict.fromkeys((0, 2), 2),
    }


def test_a_trajectory_is_the_sum_of_its_levels():
    times, walls = made_up()
    found = measurement.trajectory_summary(times, walls, steps=200)
    assert found["median_s"]["sparse"] == 3.0
    assert found["median_s"]["eager"] == 18.0
    assert found["between_levels_s"] == {"sparse": 0.2, "torch": 0.2, "eager": 0.25}
    assert found["repetitions_s"]["sparse"] == [3.0, 2.0, 9.0]
    # 200 steps and 3 evaluations, of which 100 times the share is one.
    whole = 21 * (200 * 8000e-6 + 3 * 100 * 20_000e-6)
    assert found["median_s"]["dataloader"] == pytest.approx(whole + 0.25)


def test_levels_have_medians_and_their_share_of_the_dense_product(workload):
    times, _ = made_up()
    tickets = [workload.dense()] * trajectory.LEVELS
    first = trajectory.Walked(wall_s=1.0, between_s=0.1, levels=[], tickets=tickets)
    flops = [4_000_000 - 100_000 * level for level in range(trajectory.LEVELS)]
    dense, *_, deepest = measurement.level_summary(times, first, flops, 20.0)
    assert dense["step_us"]["eager"] == 2000.0
    assert dense["step_with_evaluation_us"]["sparse"] == 500.0
    assert dense["repetitions_us"]["eager"]["evaluation_share"] == [9.0, 1000.0, 9e9]
    assert dense["useful_gflop_s"] == pytest.approx(10.0)
    assert dense["roofline"] == pytest.approx(0.5)
    assert deepest["level"] == 20
    assert deepest["roofline"] == pytest.approx(2e6 / 40 / 1e3 / 20)


def test_the_shown_levels_are_those_of_the_bars():
    workload = trajectory.Workload(
        Dataset(
            name="zeros",
            train_x=np.zeros((2, 28, 28), np.uint8),
            train_y=np.zeros(2, np.int64),
            test_x=np.zeros((1, 28, 28), np.uint8),
            test_y=np.zeros(1, np.int64),
            classes=10,
            scale=255.0,
            mean=0.0,
            std=1.0,
            validation=1,
            source="made here",
        )
    )
    planned = planned_densities(LotteryConfig(levels=trajectory.LEVELS - 1), workload.network)
    shown = [planned[level] for level in measurement.SHOWN]
    assert [round(d, 3) for d in shown] == [1.0, 0.513, 0.211, 0.07, 0.036, 0.012]


@pytest.mark.parametrize("name", ["steps", "repetitions", "study_trials", "study_steps"])
def test_a_number_below_one_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be a whole number >= 1, got 0"):
        command.BenchmarkConfig(**{name: 0})


def test_an_error_is_one_line_and_an_exit_code(monkeypatch, capsys):
    def fail(*args):
        raise ResourceError("sparse was asked for, but numba is not installed")

    monkeypatch.setattr(command, "run", fail)
    monkeypatch.setattr(sys, "argv", ["benchmarks"])
    assert command.main() == 5
    assert capsys.readouterr().err.strip() == "sparse was asked for, but numba is not installed"


class Here:
    """A pool that does the work in this process, of what another process would be sent."""

    def __init__(self, count, *, mp_context, initializer):
        assert mp_context.get_start_method() == "spawn"
        pickle.loads(pickle.dumps(initializer))()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def map(self, act, *arguments):
        act, arguments = pickle.loads(pickle.dumps((act, arguments)))
        return pickle.loads(pickle.dumps(list(map(act, *arguments))))


def once(function):
    """Returns a function whose first result is that of all later calls."""
    found = []

    def called(*arguments):
        return found[0] if found else found.append(function(*arguments)) or found[0]

    return called


@pytest.fixture
def small(monkeypatch):
    """Pictures of MNIST's shape, so few that to look at all of them takes no time.

    The memory of each loop and the study have the real ones.
    """
    few = noise(28, 28, train=130, validation=10)
    for module in (loops, alone):
        monkeypatch.setattr(module, "load", {"mnist": few}.__getitem__)
    for module in (alone, pair):
        monkeypatch.setattr(module, "ProcessPoolExecutor", Here)
    # Measured once, of whatever is asked: a process of its own and a trajectory take seconds.
    monkeypatch.setattr(memory, "measure", once(memory.measure))
    monkeypatch.setattr(alone, "measure", once(alone.measure))
    monkeypatch.setattr(pair, "WORK", dict.fromkeys(pair.WORK, 3))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    for made in (loops.workload, loops.loop, alone.dataset):
        made.cache_clear()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everything_is_measured(tmp_path, small, monkeypatch, capsys):
    options = {"--steps": 1, "--repetitions": 1, "--study-trials": 1, "--study-steps": 2}
    words = [str(word) for option in options.items() for word in option]
    out = tmp_path / "latest.json"
    monkeypatch.setattr(
        sys, "argv", ["benchmarks", *words, "--out", str(out), "--figures", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(command.__file__, run_name="__main__")
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    found = read_json(out)
    assert found["bars"].keys() == bars.BARS.keys()
    assert all(isinstance(found[key], float) for key in bars.BARS)
    assert found["orchestration"]["trials"] == 1
    assert found["orchestration"]["networks"] == 15
    assert len(found["orchestration"]["trajectory_alone_s"]) == 2
    assert found["orchestration"]["beyond_training_alone"] > -1
    assert found["orchestration"]["worker_peak_mb"] > 50
    assert all(mb["peak"] > mb["imports"] > 100 for mb in found["memory_mb"].values())
    assert len(found["two_trials"]["eager"]["together_s"]) == 1
    assert (tmp_path / "speed.svg").exists()
    assert "What lttune promises" in printed.out

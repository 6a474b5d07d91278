"""Results of benchmarks with made-up numbers."""

from benchmarks import (
    bars,
    loops,
    machine,
    measurement,
    trajectory,
)

NAMES = tuple(loops.TITLES)


def made_up():
    """Times that are easy to compute with: a step, then the share of an evaluation (us)."""
    every = range(trajectory.LEVELS)
    times = {
        "sparse": {level: [(400.0 - 18 * level, 100.0)] * 3 for level in every},
        "torch": {level: [(1500.0, 1000.0)] for level in every},
        "eager": {level: [(1000.0, 9.0), (2000.0, 1000.0), (9e9, 9e9)] for level in every},
        "dataloader": {level: [(8000.0, 20_000.0)] for level in measurement.SHOWN},
    }
    walls = {
        "sparse": [(3.0, 0.1), (2.0, 0.3), (9.0, 0.2)],
        "torch": [(12.0, 0.2)],
        "eager": [(18.0, 0.25)],
    }
    return times, walls


def result():
    """A whole result with made-up numbers."""
    times, walls = made_up()
    densities = (1.0, 0.513, 0.211, 0.07, 0.0359, 0.012)
    levels = [
        {
            "density": d,
            "step_us": {n: times[n][level][0][0] for n in NAMES},
            "step_with_evaluation_us": {n: sum(times[n][level][0]) for n in NAMES},
            "useful_gflop_s": 50.0,
            "roofline": 0.5,
        }
        for d, level in zip(densities, measurement.SHOWN, strict=True)
    ]
    parts = {
        "levels": levels,
        "trajectory": measurement.trajectory_summary(times, walls, steps=200),
        "two_trials": {"sparse": {"speedup": 1.9}, "eager": {"speedup": 1.5}},
        "orchestration": {
            "overhead": 0.2,
            "inside_trials": 0.15,
            "between_trials": 0.05,
            "beyond_training_alone": 0.22,
            "left_over_s": 3.0,
            "train_s": 100.0,
            "trials": 16,
            "slots": 2,
            "start_up_s": 12.0,
            "finish_s": 4.0,
            "worker_peak_mb": 1200.0,
        },
    }
    figures = bars.figures(**parts)
    settings = {"network": "LeNet-300-100", "dataset": "MNIST", "batch_size": 60}
    return {
        **figures,
        "bars": bars.judged(figures),
        **parts,
        "memory_mb": {"sparse": {"imports": 500.0, "peak": 700.0}},
        "settings": {**settings, "steps": 200, "repetitions": 3},
        "machine": machine.describe() | {"load_average": 0.1},
    }

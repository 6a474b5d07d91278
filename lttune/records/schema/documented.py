"""The columns of the tables: those that are documented, and how the others begin."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

MEASURES: dict[str, tuple[pa.DataType, str]] = {
    "study": (pa.string(), "Name of the study."),
    "phase": (pa.string(), "What the trial is for: anchor, search, ..."),
    "role": (pa.string(), "Why its point is in the design: paper, sweep, ...; null elsewhere."),
    "inert": (pa.float64(), "Value of the design's inert control factor; null without one."),
    "trial": (pa.int64(), "Number of the trial in its study, from 0."),
    "replicate": (pa.int64(), "Index of the independent repetition, from 0."),
    "branch": (pa.string(), "trunk (the lottery ticket itself), or the name of the control."),
    "level": (pa.int64(), "Pruning round; 0 is dense."),
    "density": (pa.float64(), "Share of prunable weights that survive, in (0, 1]."),
    "surviving": (pa.int64(), "Number of prunable weights that survive."),
    "prunable": (pa.int64(), "Number of prunable weights of the dense network."),
    "early_stop_step": (pa.int64(), "Step of minimum validation loss, the first if tied."),
    "early_stop_at_end": (pa.bool_(), "True if that is the last evaluation: a censored step."),
    "val_accuracy": (pa.float64(), "Validation accuracy at the early-stopping step, in [0, 1]."),
    "val_loss": (pa.float64(), "Mean validation cross-entropy there, in nats."),
    "test_accuracy": (pa.float64(), "Test accuracy at the early-stopping step, in [0, 1]."),
    "test_loss": (pa.float64(), "Mean test cross-entropy there, in nats."),
    "train_accuracy": (pa.float64(), "Accuracy there on train.eval_train training examples."),
    "end_val_accuracy": (pa.float64(), "Validation accuracy after the last step."),
    "end_val_loss": (
        pa.float64(),
        "Validation cross-entropy after the last step; null if not finite.",
    ),
    "end_test_accuracy": (pa.float64(), "Test accuracy after the last step."),
    "end_test_loss": (pa.float64(), "Test cross-entropy after the last step; null if not finite."),
    "end_train_accuracy": (pa.float64(), "Training accuracy after the last step."),
    "start_val_accuracy": (pa.float64(), "Validation accuracy of the untrained masked network."),
    "diverged": (pa.bool_(), "True if the validation loss was not finite; training ended there."),
    "barrier_test_error": (
        pa.float64(),
        "Of sibling: the barrier of test error between its end weights and the trunk's, in [0, 1].",
    ),
    "barrier_train_error": (pa.float64(), "The same on train.eval_train training examples."),
    "steps_trained": (pa.int64(), "Optimizer steps that were run for this network."),
    "train_time_s": (pa.float64(), "Wall time of training, evaluations included, in seconds."),
    "eval_time_s": (pa.float64(), "Share of train_time_s spent in evaluations, in seconds."),
    "trained": (pa.string(), "When its training ended, in UTC; null in older records."),
    "host": (pa.string(), "Name of the machine that trained it; null in older records."),
    "reused": (pa.bool_(), "True if the network was taken from the store, not trained now."),
    "seed": (pa.int64(), "Root of the study's random streams."),
    "numerics": (pa.string(), "Engine, device, dtype, threads and version that made the bytes."),
    "cell": (pa.string(), "Key of the trained network in the cell store."),
}
"""Column -> (type, meaning). At a diverged network the ``end_*`` accuracies are chance."""

LAYERS: dict[str, tuple[pa.DataType, str]] = {
    "study": (pa.string(), "Name of the study."),
    "phase": (pa.string(), "What the trial is for: anchor, search, ..."),
    "trial": (pa.int64(), "Number of the trial in its study, from 0."),
    "replicate": (pa.int64(), "Index of the independent repetition, from 0."),
    "level": (pa.int64(), "Pruning round; 0 is dense."),
    "layer": (pa.string(), "Name of the prunable layer."),
    "kind": (pa.string(), "What it is: fc, conv, shortcut, out."),
    "size": (pa.int64(), "Number of its weights in the dense network."),
    "surviving": (pa.int64(), "Number of its weights that survive."),
    "initial_mean": (pa.float64(), "Mean initial magnitude of the survivors."),
    "initial_std": (pa.float64(), "Its standard deviation."),
    "initial_q05": (pa.float64(), "Its quantile 0.05."),
    "initial_q25": (pa.float64(), "Its quantile 0.25."),
    "initial_q50": (pa.float64(), "Its median."),
    "initial_q75": (pa.float64(), "Its quantile 0.75."),
    "initial_q95": (pa.float64(), "Its quantile 0.95."),
    "initial_positive": (pa.float64(), "Share of the survivors whose initial value is above 0."),
    "initial_bimodality": (
        pa.float64(),
        "Of their initial values: (skewness^2 + 1) / kurtosis; 1/3 of a Gaussian, 1 of two points.",
    ),
    "moved": (pa.float64(), "Mean |end - start| of the survivors in this level's training."),
    "moved_relative": (pa.float64(), "The same over their mean |start|."),
    "sign_changes": (pa.float64(), "Share of the survivors whose sign changed in it."),
    "dense_moved_kept": (
        pa.float64(),
        "Mean |end - initial| of this level's survivors in the dense training.",
    ),
    "dense_moved_pruned": (pa.float64(), "The same of the weights that do not survive."),
    "dense_grown_kept": (
        pa.float64(),
        "Share of this level's survivors that the dense training moved away from 0.",
    ),
    "dense_grown_pruned": (pa.float64(), "The same of the weights that do not survive."),
    "incoming_mean": (pa.float64(), "Survivors that lead into an output unit or channel, mean."),
    "incoming_std": (pa.float64(), "Their standard deviation over the units."),
    "incoming_max": (pa.int64(), "The most that lead into one unit."),
    "incoming_none": (pa.int64(), "Output units into which none leads."),
    "outgoing_mean": (pa.float64(), "Survivors that leave an input unit or channel, mean."),
    "outgoing_std": (pa.float64(), "Their standard deviation over the units."),
    "outgoing_max": (pa.int64(), "The most that leave one unit."),
    "outgoing_none": (pa.int64(), "Input units that none leaves."),
}
"""Column of ``layers.parquet`` -> (type, meaning). Null where there is nothing to average, and what
a diverged training moved."""

CURVE_MEASURES: dict[str, tuple[pa.DataType, str]] = {
    **{name: MEASURES[name] for name in ("study", "phase", "trial", "replicate", "branch")},
    **{name: MEASURES[name] for name in ("level", "density")},
    "step": (pa.int64(), "Training step of the evaluation, as early_stop_step counts them."),
    "val_loss": (pa.float64(), "Mean validation cross-entropy, in nats; null if not finite."),
    "val_accuracy": (pa.float64(), "Validation accuracy, in [0, 1]."),
    "test_loss": (
        pa.float64(),
        "Mean test cross-entropy, in nats; null if not finite, or without train.eval_test.",
    ),
    "test_accuracy": (pa.float64(), "Test accuracy, in [0, 1]; null without train.eval_test."),
    "cell": MEASURES["cell"],
}
"""Column of ``curves.parquet`` -> (type, meaning)."""

OWN_MEASURES = ("measured.", "end_measured.")
"""How columns of the records begin that hold measurements of one's own (``train.measure``): numbers
at the early-stopping step, and after the last step; null where one was not known."""

ORDER = ("trial", "replicate", "branch", "level", "layer", "step")
"""By which columns rows are sorted, as far as a table has them."""

Columns = Mapping[str, tuple[pa.DataType, str]]

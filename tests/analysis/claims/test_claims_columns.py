"""Columns that are made of the recorded ones."""

import numpy as np
import pandas as pd
import pytest
from bounded import bounded

from analysis.claims.networks.columns import with_columns


def made(masks):
    """The columns of layers with masks of shape (units, inputs), each at a level of its own."""
    key = {"study": "s", "phase": "anchor", "trial": 0, "replicate": 0}
    rows = [{**key, "branch": "trunk", "level": i} for i in range(len(masks))]
    layers = [
        {
            **key,
            "level": level,
            "layer": "fc1",
            "size": mask.size,
            "surviving": int(mask.sum()),
            "incoming_mean": mask.sum(1).mean(),
            "incoming_std": mask.sum(1).std(),
            "outgoing_mean": mask.sum(0).mean(),
            "outgoing_std": mask.sum(0).std(),
            **dict.fromkeys(
                [f"dense_{a}_{b}" for a in ("moved", "grown") for b in ("kept", "pruned")], 0.0
            ),
        }
        for level, mask in enumerate(masks)
    ]
    records = pd.DataFrame(rows).assign(early_stop_step=100, early_stop_at_end=False)
    return with_columns(records, pd.DataFrame(layers))


def test_a_random_mask_is_as_even_as_a_binomial_number():
    rng = np.random.default_rng(0)
    units = 3_000
    masks = [rng.random((units, 300)) < p for p in (0.41, 0.17, 0.07)]
    table = made([*masks, np.ones((units, 300))])
    # The deviation of a deviation is about itself over the root of twice the units.
    spread = table["incoming_cv.fc1"][:3] / np.sqrt(2 * units)
    assert (table["incoming_excess.fc1"][:3].abs() < 4 * spread).all()
    assert table["incoming_excess.fc1"][3] == 0
    assert (table["outgoing_lead.fc1"][:3].abs() < 0.2).all()


def test_uneven_masks_exceed_it():
    rng = np.random.default_rng(1)
    rows = rng.random((200, 300)) < np.where(np.arange(200) % 2, 0.1, 0.3)[:, None]
    table = made([rows, rows[:, :200].T])
    assert table["incoming_excess.fc1"][0] == pytest.approx(
        rows.sum(1).std() / rows.sum(1).mean() - np.sqrt(0.8 / 60), abs=0.01
    )
    assert table["outgoing_lead.fc1"][0] < -0.3
    assert table["outgoing_lead.fc1"][1] > 0.3


def test_what_pruning_alone_costs_is_against_the_dense_network_of_the_trajectory():
    key = {"study": "s", "phase": "anchor", "early_stop_step": 100, "early_stop_at_end": False}
    rows = [
        {**key, "trial": trial, "replicate": replicate, "branch": branch, "level": level}
        | {"start_val_accuracy": start, "end_val_accuracy": end}
        for trial, replicate in ((0, 0), (0, 1), (1, 0))
        for branch, level, start, end in (
            ("finetune", 1, 0.5 + 0.1 * trial, 0.99),
            ("trunk", 0, 0.1, 0.9 - 0.01 * replicate),
            ("trunk", 1, 0.2, 0.95),
        )
    ]
    table = with_columns(pd.DataFrame(rows))
    found = table.loc[table["branch"] == "finetune", "pruning_gap"]
    assert list(found) == pytest.approx([-0.4, -0.39, -0.3])


def test_networks_that_there_are_not_take_no_memory():
    """Of 60 networks none shares its trial, replicate or level with another."""
    whose = [
        {"study": "s", "phase": "anchor", "trial": n, "replicate": n, "level": n} for n in range(60)
    ]
    numbers = [f"{way}_{what}" for way in ("incoming", "outgoing") for what in ("mean", "std")]
    numbers += [f"dense_{a}_{b}" for a in ("moved", "grown") for b in ("kept", "pruned")]
    numbers += ["size", "surviving"]
    layers = pd.DataFrame([{**one, "layer": "fc1", **dict.fromkeys(numbers, 2.0)} for one in whose])
    records = pd.DataFrame(whose).assign(branch="trunk", early_stop_step=9, early_stop_at_end=False)
    with bounded():
        table = with_columns(records, layers.assign(size=range(2, 62)))
    assert table["size.fc1"].tolist() == list(range(2, 62))

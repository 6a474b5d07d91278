"""The tickets of a study: their starts, their files, and those that are not there."""

from __future__ import annotations

import hashlib
import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stored_study
import torch
from exchanged import same
from torch import nn

from lttune.__main__ import main
from lttune.config.seeding import stream
from lttune.data import load
from lttune.errors import ConfigError, DataError, StorageError
from lttune.exchange.tensors import (
    pruned_module,
    read,
)
from lttune.exchange.tickets import Place, find_network
from lttune.models import masks
from lttune.store.sealed import read_object, write_object


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "results"
    return stored_study.make(out, replicates=(0, 1), controls=("reinit", "sibling"))


def test_the_start_is_the_initial_draw_under_the_mask(study):
    for replicate in (0, 1):
        found = find_network(Place(study=study, replicate=replicate, level=2))
        weights, steps = found.weights("start")
        drawn = found.network.initial_weights(stream(0, replicate, "init"))
        assert same(weights, masks.apply(drawn, found.mask))
        assert steps == 0


def test_a_rewound_start_is_the_dense_networks_at_that_step(tmp_path):
    lottery = stored_study.digits_study.LOTTERY.override({"rewind_step": 20})
    study = stored_study.make(tmp_path / "results", lottery)
    found = find_network(Place(study=study, level=2))
    short = lottery.override({"train.steps": 20, "rewind_step": 0, "levels": 0})
    other = find_network(Place(study=stored_study.make(tmp_path / "short", short)))
    weights, steps = found.weights("start")
    # A training of 20 steps ends where one of 40 is rewound to.
    assert same(weights, masks.apply(other.weights("trained")[0], found.mask))
    assert steps == 20


def test_trained_from_its_exported_start_a_ticket_ends_as_it_did(study):
    found = find_network(Place(study=study, level=1))
    weights, _ = found.weights("start")
    module = pruned_module(weights, found.mask, found.network, 0)
    data = load("digits")
    seed = int.from_bytes(hashlib.sha256(b"lttune|0|0|split|0").digest(), "big")
    train = np.sort(np.random.default_rng(seed).permutation(1437)[237:])
    seed = int.from_bytes(hashlib.sha256(b"lttune|0|0|order|1").digest(), "big")
    rng, optimizer = np.random.default_rng(seed), torch.optim.Adam(module.parameters(), lr=0.01)
    x = torch.from_numpy((data.train_x / data.scale - data.mean) / data.std).float()
    y, done = torch.from_numpy(data.train_y), 0
    while done < 40:
        order = rng.permutation(train)
        for i in range(0, len(order), 60)[: 40 - done]:
            batch = order[i : i + 60]
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()
            optimizer.step()
            done += 1
    trained, _ = found.weights("trained")
    for name in found.mask:
        layer = module.get_submodule(name.removesuffix(".weight"))
        assert torch.allclose(layer.weight_orig * layer.weight_mask, trained[name], atol=1e-4)


def test_a_file_says_what_it_is(study, tmp_path):
    path = tmp_path / "x.safetensors"
    assert main(["export", str(study), "--level", "2", "--out", str(path)]) == 0
    said = read(path).metadata
    row = find_network(Place(study=study, level=2)).row
    assert said["form"] == "state-dict"
    assert said["weights"] == "trained"
    assert json.loads(said["density"]) == row["density"]
    assert json.loads(said["measures"])["end_test_accuracy"] == row["end_test_accuracy"]
    assert json.loads(said["config"]) == stored_study.digits_study.LOTTERY.nested()
    assert json.loads(said["dataset"])["digest"] == load("digits").digest()
    assert json.loads(said["ticket"])["cell"] == row["cell"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trial": 3}, r"trial must be one of 0; got 3 \("),
        ({"replicate": 2}, "replicate must be one of 0, 1; got"),
        ({"level": 3}, "level must be one of 0, 1, 2; got"),
        ({"branch": "random"}, "branch must be one of reinit, sibling, trunk; got 'random' "),
        ({"branch": "reinit", "level": 1}, "whose weights are kept, such as trunk; got 'reinit' "),
    ],
)
def test_a_network_that_is_not_there_is_named(study, changes, message):
    with pytest.raises(ConfigError, match=message):
        find_network(Place(study=study, **changes))


def test_a_branch_that_keeps_its_weights_has_no_start(study):
    found = find_network(Place(study=study, level=1, branch="sibling"))
    assert same(found.mask, find_network(Place(study=study, level=1)).mask)
    assert found.weights("trained")[1] == 40
    with pytest.raises(ConfigError, match="weights must be trained for a branch"):
        found.weights("start")


def test_a_lost_network_is_named(tmp_path):
    study = stored_study.make(tmp_path / "results")
    found = find_network(Place(study=study, level=2))
    first = find_network(Place(study=study, level=1)).row["cell"]
    (tmp_path / "results" / "cells" / first[:2] / first / "record.json").write_text("{}")
    assert found.weights("trained")
    with pytest.raises(StorageError, match="store lacks a network on the way"):
        found.weights("start")
    with pytest.raises(StorageError, match="has no sound network"):
        find_network(Place(study=study, level=1))


def test_a_start_that_is_not_the_stored_networks_own_is_refused(tmp_path):
    study = stored_study.make(tmp_path / "results", trials=({}, {"train.lr": 0.003}))
    ledger = read_object(study / "trials.json")
    ledger["trials"][0]["hparams"] = {"train.lr": 0.003}
    write_object(study / "trials.json", ledger)
    with pytest.raises(StorageError, match="was trained by another lttune"):
        find_network(Place(study=study, level=1)).weights("start")


def test_another_dataset_of_the_name_is_refused(tmp_path):
    study = stored_study.make(tmp_path / "results")
    sheet = read_object(study / "study.json")
    sheet["dataset"]["digest"] = "0" * 64
    write_object(study / "study.json", sheet)
    with pytest.raises(DataError, match="digits here is not the dataset of the study"):
        find_network(Place(study=study))


def test_a_learned_mask_has_a_start_only(tmp_path):
    lottery = stored_study.digits_study.LOTTERY.override({"method": "supermask", "levels": 1})
    found = find_network(Place(study=stored_study.make(tmp_path / "results", lottery), level=1))
    assert 0 < masks.density(found.mask) < 1
    drawn = found.network.initial_weights(stream(0, 0, "init"))
    assert same(found.weights("start")[0], masks.apply(drawn, found.mask))
    with pytest.raises(ConfigError, match="weights must be start where a mask was learned"):
        found.weights("trained")


@pytest.mark.parametrize("name", ["trial", "replicate"])
def test_a_number_beyond_those_of_arrow_in_another_row_hides_no_ticket(study, tmp_path, name):
    """A stranger's table may hold one as an unsigned number, which no int64 is compared with."""
    copy = tmp_path / "results" / study.name
    shutil.copytree(study.parent, copy.parent)
    table = pq.read_table(path := copy / "records.parquet")
    column, place = table[name].to_pylist(), table.schema.get_field_index(name)
    longer = pa.concat_tables([table, table.slice(len(table) - 1)])
    longer = longer.set_column(place, name, pa.array([*column, 2**63 + 1], pa.uint64()))
    pq.write_table(longer.replace_schema_metadata(None), path)
    found = find_network(Place(study=copy, level=2))
    assert found.row["level"] == 2
    with pytest.raises(ConfigError, match=f"^{name} must be one of 0, .*9223372036854775809; got"):
        find_network(Place(study=copy, level=2, **{name: 7}))

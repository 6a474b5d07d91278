"""docs/extending.md is true: what it names is there, and what it adds works from end to end."""

from __future__ import annotations

import dataclasses
import importlib
import re
import runpy
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints

import pandas as pd
import planted
import pytest
import sample_study
import stored_study
import torch
import tyro
from digits_study import LOTTERY, SMOKE, STUDY
from extended import PAGE, ROOT, blocks, chapters, files, register
from optuna.distributions import CategoricalDistribution
from searching import SPACE, ledger, points, report, searcher

from analysis.claims import power_table, verdicts
from analysis.report.write import write as write_report
from analysis.tables import controls
from lttune import __main__ as command_line
from lttune.commands import export
from lttune.config import from_dict
from lttune.config.design import Point
from lttune.data import load
from lttune.errors import ConfigError
from lttune.exchange.tickets import Place, find_network
from lttune.records.ledger import Ledger
from lttune.records.schema import read
from lttune.store.store import Store
from lttune.study.phases import planned
from lttune.study.phases.confirmation import Confirmation
from lttune.study.phases.planned import PlannedTrial, plan_trials
from lttune.study.prepared import prepared
from lttune.study.search.searcher import StudySearcher
from lttune.study.settings import StudyConfig
from lttune.training.engines import make
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

CHAPTERS = chapters()
KINDS = {"criterion", "control", "engine", "sampler", "phase", "dataset", "network", "figure"}
KINDS |= {"form", "export", "command", "fault"}


@pytest.fixture
def add(monkeypatch):
    """Does what a chapter of the page says."""
    return lambda heading: register(heading, monkeypatch)


def asked(*flags):
    """Returns the settings of a command line, checked as far as nothing is trained."""
    default = dataclasses.replace(SMOKE, phases=("anchor",))
    return prepared(tyro.cli(StudyConfig, default=default, args=flags), STUDY)


def test_every_kind_has_a_chapter_of_three_files_at_most():
    assert {heading.split()[-1] for heading in CHAPTERS} == KINDS
    counts = {heading: len(files(text)) for heading, text in CHAPTERS.items()}
    assert {heading: count for heading, count in counts.items() if count > 3} == {}
    assert all(re.search(r"\]\(\.\./tests/\S+\.py\)", text) for text in CHAPTERS.values())


def test_every_name_of_the_page_is_one():
    text = PAGE.read_text()
    dotted = set(re.findall(r"`((?:lttune|analysis)\.[\w.]+)`", text)) - {"lttune.commands"}
    for name in dotted:
        module, _, attribute = name.rpartition(".")
        try:
            assert hasattr(importlib.import_module(module), attribute), name
        except ModuleNotFoundError:
            pytest.fail(name)
    rows = [block for chapter in CHAPTERS.values() for block in blocks(chapter) if block.table]
    assert [block.path for block in rows if not (ROOT / block.path).exists()] == []
    assert len(dotted) > 10 < len(rows)


def test_a_criterion_prunes(add, tmp_path):
    add("A criterion")
    assert asked("--lottery.prune.criterion", "relative").config.lottery.prune.scope == "layer"
    # Within a layer the scale changes nothing; over all layers it does.
    masks = {}
    for name, scope in (("relative", "layer"), ("magnitude", "layer"), ("relative", "global")):
        changes = {"prune.criterion": name, "prune.scope": scope, "levels": 1}
        study = stored_study.make(tmp_path / name / scope, LOTTERY.override(changes))
        masks[name, scope] = find_network(
            Place(study=study, trial=0, replicate=0, level=1, branch="trunk")
        ).mask
    layer = masks["relative", "layer"]
    for other, same in (("magnitude", "layer"), True), (("relative", "global"), False):
        assert all(torch.equal(layer[n], masks[other][n]) for n in layer) == same


def test_a_control_is_trained_and_shown(add, tmp_path, monkeypatch):
    add("A control")
    # The names for readers are taken from the table when the module is read.
    anew = runpy.run_path(controls.__file__)
    for name in ("LABELS", "HOME_FAMILIES"):
        for key, value in anew[name].items():
            monkeypatch.setitem(vars(controls)[name], key, value)
    assert asked("--controls", "mirrored").config.controls == ("mirrored",)
    study = stored_study.make(tmp_path, replicates=(0, 1), controls=("mirrored",))
    rows = [row for row in read(study / "records.parquet") if row["branch"] == "mirrored"]
    assert [(row["replicate"], row["level"]) for row in rows] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    write_report(study)
    drawn = (study / "figures" / "controls.svg").read_text()
    assert "mirrored mask (n = 2)" in drawn
    assert "Other masks" in drawn


def test_an_engine_is_chosen_and_trains(add, tmp_path):
    add("An engine")
    assert asked("--engine", "threaded").engine == "threaded"
    threads = torch.get_num_threads()
    try:
        engine = make("threaded", "cpu")
        lab = Lab({"digits": load("digits")}, engine, Store(tmp_path))
        (*_, last) = run_trial(LOTTERY, [0], [], lab)
    finally:
        torch.set_num_threads(threads)
    assert last["rows"][0]["numerics"].endswith("/threads=2")


def test_a_sampler_proposes(add, tmp_path):
    add("A sampler")
    assert asked("--sampler", "nsga2").config.sampler == "nsga2"
    book = ledger(tmp_path, search=4)
    search = searcher(book, sampler="nsga2")
    for n in range(4):
        search.suggest(f"{n}")
        search.on_trial_complete(f"{n}", report(1, values=[0.1 * n]))
        book.trials[n].state = "complete"
    assert type(search.proposals.study.sampler).__name__ == "NSGAIISampler"
    assert len(set(points(book))) == 4
    assert all(SPACE["train.lr"]._contains(lr) for lr, _ in points(book))


def test_a_phase_is_planned_trained_and_learned_from(add, tmp_path):
    add("A phase")
    hparams = {"train.lr": 0.003, "prune.fractions.fc1": 0.3}
    point = Point(hparams=hparams, replicates=(0,), role="sweep", label="again")
    study = dataclasses.replace(STUDY, points={"smoke": {"again": [point]}})
    config = tyro.cli(StudyConfig, default=SMOKE, args=["--phases", "again", "search"])
    config = prepared(config, study).config
    book = Ledger(path=tmp_path / "trials.json")
    plan_trials(book, config, study)
    assert book.planned == {"search": 4, "again": 1}
    search = StudySearcher(
        book,
        config.lottery,
        STUDY.space_of(config),
        config.objective,
        sampler="random",
        seed=0,
        replicates=1,
        ahead=0,
        confirmation=Confirmation.of(config, study),
    )
    trial = search.suggest("a")
    assert trial["phase"] == "again"
    lottery = from_dict(trial["lottery"]).override(trial["hparams"])
    lab = Lab({"digits": load("digits")}, TorchEngine(), Store(tmp_path / "cells"))
    (*_, last) = run_trial(lottery, trial["replicates"], trial["controls"], lab)
    search.on_trial_complete("a", {**last, "values": [last["val_accuracy"]]})
    book.trials[0].state, book.trials[0].values = "complete", [last["val_accuracy"]]
    assert search.suggest("b")["phase"] == "search"
    assert search.proposals.study.trials[0].values == [last["val_accuracy"]]


def asked_for_ends(**changes):
    """Returns a study of the phase whose origin is its own, checked as a whole."""
    config = dataclasses.replace(SMOKE, phases=("anchor", "ends"))
    return prepared(config, dataclasses.replace(STUDY, **changes))


def test_a_phase_with_an_origin_of_its_own_is_planned(add, tmp_path):
    add("A phase")
    needed = asked_for_ends()
    book = Ledger(path=tmp_path / "trials.json")
    plan_trials(book, needed.config, needed.study)
    rates = [{"train.lr": 0.01}, {"train.lr": 0.003}]
    shares = [{"prune.fractions.fc1": 0.2}, {"prune.fractions.fc1": 0.6}]
    assert [trial.hparams for trial in book.of("ends")] == rates + shares


def test_a_phase_with_an_origin_of_its_own_is_refused_before_anything_starts(add):
    add("A phase")
    space = {"model.name": CategoricalDistribution(["lenet-20-10", "nonsense"])}
    with pytest.raises(ConfigError, match=r"^space: model\.name = 'nonsense': [^\n]*$"):
        asked_for_ends(space=space)
    with pytest.raises(ConfigError, match="phases must be without 'ends': the study declares"):
        asked_for_ends(space={})


def test_its_datasets_are_loaded_and_its_engine_suits_all_networks(add):
    add("A phase")
    needed = asked_for_ends()
    assert (needed.engine, set(needed.datasets)) == ("sparse", {"digits"})
    space = {"data.name": CategoricalDistribution(["digits", "digit-scenes"])}
    assert set(asked_for_ends(space=space).datasets) == {"digits", "digit-scenes"}
    space = {"model.name": CategoricalDistribution(["lenet-20-10", "resnet50"])}
    assert asked_for_ends(space=space).engine == "torch"


def test_points_of_its_own_are_checked_as_declared_ones_are(add, monkeypatch):
    add("A phase")
    wrong = PlannedTrial(replicates=(0, 1), label="too fast", hparams={"train.lr": -1.0})
    monkeypatch.setitem(planned.TRIALS, "ends", lambda *_: [wrong, wrong])
    with pytest.raises(ConfigError, match=r"^point 'too fast': train\.lr [^\n]*$"):
        asked_for_ends()
    monkeypatch.setitem(planned.TRIALS, "ends", lambda *_: [])
    with pytest.raises(ConfigError, match="phases must be without 'ends': it has no trials"):
        asked_for_ends()


def test_a_dataset_is_described_and_learned(add, tmp_path, capsys):
    add("A dataset")
    assert asked("--lottery.data.name", "stripes").dataset.name == "stripes"
    assert command_line.main(["data", "stripes"]) == 0
    assert "400 training (of which 80 validate), 100 test" in capsys.readouterr().out
    study = stored_study.make(tmp_path, LOTTERY.override({"data.name": "stripes"}))
    assert read(study / "records.parquet")[-1]["test_accuracy"] > 0.9


def test_a_network_is_trained_and_exported(add, tmp_path):
    add("A network")
    found = asked("--lottery.model.name", "perceptron", "--lottery.levels", "4")
    assert found.config.lottery.model.name == "perceptron"
    study = stored_study.make(tmp_path, LOTTERY.override({"model.name": "perceptron"}))
    assert read(study / "records.parquet")[-1]["density.out"] == pytest.approx(0.64, abs=0.01)
    place = f"{study}:0/0/2"
    assert command_line.main(["masks", place, place]) == 0


def test_a_figure_stands_in_the_report(add, tmp_path):
    add("A figure")
    study = sample_study.write_study(tmp_path)
    write_report(study)
    page = (study / "report.html").read_text()
    assert "<h2>How far replicates lie apart</h2>" in page
    assert "between replicates of the ticket." in page
    assert (study / "figures" / "spread.svg").exists()
    assert len(pd.read_csv(study / "figures" / "spread.csv")) == sample_study.LEVELS + 1


def test_a_claim_form_is_checked_judged_and_planned(add):
    add("A claim form")
    claim = planted.claim(planted.question(form="majority"))
    found = planted.registry(claim)
    for size, word in ((0.02, "supported"), (-0.02, "contradicted")):
        records = planted.trial(accuracy=planted.rising(size))
        assert planted.words(verdicts(records, found)) == [word]
    assert 0 < power_table(found, sd=0.001)["power"].item() < 1


@dataclass(frozen=True, kw_only=True)
class WithLabels(export.Flags):
    """The flags of the command with the switch that the page asks for."""

    labels: export.Switch = False
    """Write the labels of its trials."""

    def whole(self):
        return super().whole() | {"labels": self.labels}


def test_an_export_is_a_flag_of_the_command(add, tmp_path, monkeypatch, capsys):
    add("An export")
    assert "labels: Switch = False" in CHAPTERS["An export"]
    monkeypatch.setattr(export, "Flags", WithLabels)
    trials = [sample_study.trial(number, controls=[]) for number in range(3)]
    study = sample_study.write_study(tmp_path, trials=trials)
    assert command_line.main(["export", str(study), "--labels"]) == 0
    assert (study / "labels.txt").read_text() == "anchor-0\nanchor-1\nanchor-2\n"
    assert capsys.readouterr().out.endswith("3 labels\n")
    assert command_line.main(["export", str(study), "--labels"]) == 74


def test_a_command_of_another_package_is_found(add, tmp_path, monkeypatch, capsys):
    add("A command")
    text = CHAPTERS["A command"]
    group, name, module = re.findall(r'\[project\.entry-points\."(.+)"\]\n(\w+) = "(.+)"', text)[0]
    assert module in sys.modules
    entry = EntryPoint(name=name, value=module, group=group)
    monkeypatch.setattr(
        command_line, "entry_points", lambda group: EntryPoints([entry]).select(group=group)
    )
    study = sample_study.write_study(tmp_path)
    assert command_line.main([name, str(study)]) == 0
    assert capsys.readouterr().out == "anchor-0\nanchor-1\nanchor-2\n"

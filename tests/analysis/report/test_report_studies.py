"""The page of every kind of study, on networks that were trained for it."""

import dataclasses
import re
from pathlib import Path

import digits_study
import pandas as pd
import pytest
from sample_study import anchor_rows, trial, write_study
from sample_sweeps import VERDICTS, design_study, study_on_a_proxy, sweep
from test_report import FULL, words_of

from analysis.report import write as report
from lttune.data import load
from lttune.errors import StorageError
from lttune.records import schema
from lttune.records.ledger import Ledger
from lttune.store.plain_json import write_json
from lttune.store.store import Store
from lttune.study.manifest import sheet
from lttune.training.engines.torch import TorchEngine
from lttune.trajectory.lab import Lab
from lttune.trajectory.trial import run_trial

CONTROLS = ("reinit", "random", "shuffle", "permute", "sibling", "transfer", "transfer_random")
SWEEP = {
    "lr=0.01": {"train.lr": 0.01},
    "lr=0.1": {"train.lr": 0.1},
    "criterion=random": {"prune.criterion": "random"},
}
LOTTERY = digits_study.LOTTERY.override({"target.lr": 0.02})


def trained(out: Path, phases) -> Path:
    """Trains two replicates of the anchor with controls, or of the sweep's points."""
    name = "-".join(phases)
    config = dataclasses.replace(
        digits_study.SMOKE, name=name, out=out, lottery=LOTTERY, phases=phases, controls=CONTROLS
    )
    study = dataclasses.replace(digits_study.STUDY, space={})
    dataset, engine = load("digits"), TorchEngine()
    lab = Lab({"digits": dataset}, engine, Store(Path(config.cells)), config.seed)
    ledger = Ledger(path=config.folder / "trials.json")
    rows, layers = [], []
    points = {
        "anchor": [("", {}, list(CONTROLS))],
        "sweep": [(label, hparams, []) for label, hparams in SWEEP.items()],
    }
    for phase in phases:
        for label, hparams, names in points[phase]:
            for replicate in range(2):
                text = f"{label} replicate={replicate}".strip()
                role = "sweep" if phase == "sweep" else None
                one = ledger.add(phase, text, hparams, [replicate], names, role)
                one.state = "complete"
                whose = {"study": name, "phase": phase, "trial": one.number}
                for found in run_trial(LOTTERY.override(hparams), [replicate], names, lab):
                    rows += [{**whose, "role": role, **row} for row in found["rows"]]
                    layers += [whose | row for row in found["layers"]]
    config.folder.mkdir(parents=True)
    ledger.planned = {phase: len(ledger.of(phase)) for phase in phases}
    ledger.save()
    write_json(config.folder / "study.json", sheet(config, study, dataset, engine.numerics))
    schema.write(config.folder / "records.parquet", rows)
    schema.write(config.folder / "layers.parquet", layers, schema.LAYERS)
    return config.folder


def stems(folder: Path, kind: str = "svg") -> set[str]:
    return {path.stem for path in (folder / "figures").glob(f"*.{kind}")}


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = trained(tmp_path_factory.mktemp("both"), ("anchor", "sweep"))
    report.write(folder)
    return folder


@pytest.mark.slow
def test_a_study_of_controls_sweeps_and_a_target_shows_them_all(both):
    page = (both / "report.html").read_text()
    assert stems(both) == {
        "accuracy",
        "early_stop",
        "controls",
        "transfer",
        "connectivity",
        "weights",
        "sweep-1-lr",
        "sweep-2-criterion",
    }
    tables = {"differences", "differences_target", "sweep_gain", "trials"}
    assert stems(both, "csv") == stems(both) | tables
    said = words_of(page)
    assert "On the target: ticket minus dense, paired by replicate" in said
    assert "The tickets were trained on: lr 0.02." in said
    assert "Sweep of lr: with" in said
    # One control of each comparison is a row, since they are many.
    assert "ticket − shuffled mask" in said
    assert "ticket − transfer" not in said
    assert "Search" not in headings(page)


@pytest.mark.slow
def test_numbers_of_the_page_are_those_of_the_records(both):
    rows = pd.read_parquet(both / "records.parquet")
    tickets = rows[(rows["phase"] == "sweep") & (rows["branch"] == "trunk")]
    means = tickets.groupby(["trial", "level"])["test_accuracy"].mean()
    table = pd.read_csv(both / "figures" / "sweep-1-lr.csv")
    table = table[(table["statistic"] == "mean") & (table["measure"] == "test_accuracy")]
    for value, trials in ((0.01, (2, 3)), (0.1, (4, 5))):
        for level in (0, 1, 2):
            mine = table[(table["curve"].astype(float) == value) & (table["level"] == level)]
            expected = (means[trials[0], level] + means[trials[1], level]) / 2
            assert mine["value"].item() == pytest.approx(expected)
            assert mine["n"].item() == 2


@pytest.mark.slow
def test_a_sweep_needs_no_anchor(tmp_path):
    folder = trained(tmp_path, ("sweep",))
    page = report.write(folder).read_text()
    assert stems(folder) == {"weights", "sweep-1-lr", "sweep-2-criterion"}
    said = words_of(page)
    assert "anchor" not in said.partition("Limits")[0].replace("anchor replicate", "")
    assert "Sweep of criterion" not in said.partition("Setting")[0]  # One value has no range.
    assert "Differences per density" not in headings(page)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_no_heading_stands_alone(tmp_path):
    pages = [report.write(write_study(tmp_path / "full", **FULL)).read_text()]
    trials, rows = sweep([("lr=1", {"train.lr": 1.0}, "sweep", 0.0)])
    phases = {"phases": ["sweep"]}
    only = write_study(tmp_path / "s", rows, trials, {"sweep": 3}, config=phases, space={})
    pages.append(report.write(only).read_text())
    pages.append(report.write(design_study(tmp_path / "d", factors=[]).folder).read_text())
    for page in pages:
        assert re.findall(r"</h[23]>\s*<(?:h[12]|/main)", page) == []
    assert "declares no factors" in words_of(pages[2])


@pytest.mark.usefixtures("undrawn")
def test_a_design_without_anchor_or_sweep_says_what_there_is(tmp_path):
    study = design_study(tmp_path, config={"phases": ["design"]}, factors=[])
    said = words_of(report.write(study.folder).read_text())
    assert "20 trials have trained networks; the study has no base configuration" in said
    assert "0 anchor replicates" not in said


class Claims:
    """What a report says of the claims it was judged by."""

    version, sha256 = "7", 64 * "a"


def test_verdicts_stand_below_the_answer_and_are_escaped(tmp_path):
    folder = write_study(tmp_path)
    page = report.write(folder, verdicts=VERDICTS).read_text()
    said = words_of(page)
    assert "✔ 1 supported ✘ 1 contradicted – 1 not tested" in said
    assert said.index("Ticket minus dense") < said.index("✘ contradicted")
    assert said.index("✘ contradicted") < said.index("Differences per density")
    assert "&lt;No&gt; records." in page
    assert "1 [0.5, ∞]percentage points" in said
    assert "deviates: train.steps" in said
    assert "claims" in stems(folder)
    assert len(pd.read_csv(folder / "figures" / "verdicts.csv")) == len(VERDICTS)
    assert "The claims" not in report.write(folder).read_text()


@pytest.mark.usefixtures("undrawn")
def test_other_scales_of_a_claim_are_folded_below_it(tmp_path):
    other = {"claim": "b", "verdict": "inconclusive", "estimate": 0.5, "unit": "share", "n": 3}
    other |= {"low": 0.1, "high": 0.9, "deviates": ["a", "b"], "scale": "<proxy>"}
    table = pd.concat([VERDICTS, pd.DataFrame([other])])
    page = report.write(write_study(tmp_path), verdicts=table).read_text()
    assert "✔ 1 supported ✘ 1 contradicted – 1 not tested" in words_of(page)
    folded = re.search(r"<details>\s*<summary>1 other scale: .*?</details>", page, re.DOTALL)
    assert "&lt;proxy&gt;" in folded.group()
    assert "50 [10, 90] percentage points, n = 3" in words_of(folded.group())


@pytest.mark.usefixtures("undrawn")
def test_the_page_says_which_claims_were_fixed_when_and_for_how_many(tmp_path):
    folder = write_study(tmp_path)
    lock = {"sha256": Claims.sha256, "version": "7", "date": "2026-11-20T08:00:00+00:00"}
    write_json(folder / "claims.lock.json", lock | {"n": {"a": 5, "b": 10, "c": 5}})
    said = words_of(report.write(folder, verdicts=VERDICTS, registry=Claims).read_text())
    own = f"version 7, SHA-256 {Claims.sha256}"
    assert said.count(own) == 2  # At the claims, and in how this was made.
    assert said.count("that file, on 2026-11-20T08:00:00+00:00") == 2
    assert said.count("n = 5 to 10 replicates for 3 claims") == 2
    write_json(folder / "claims.lock.json", lock | {"n": {"a": 5}, "sha256": 64 * "b"})
    said = words_of(report.write(folder, verdicts=VERDICTS, registry=Claims).read_text())
    assert f"version 7, SHA-256 {64 * 'b'}, on 2026" in said
    assert "n = 5 replicates for 1 claims" in said
    (folder / "claims.lock.json").unlink()
    said = words_of(report.write(folder, verdicts=VERDICTS, registry=Claims).read_text())
    assert "nothing was fixed before the study" in said


@pytest.mark.parametrize("text", ["[]", "{", '{"sha256": "a", "date": "b", "n": 3}'])
def test_a_damaged_lock_is_one_line(tmp_path, text):
    (write_study(tmp_path) / "claims.lock.json").write_text(text)
    with pytest.raises(StorageError, match=r"claims\.lock\.json (is no lock|is damaged|must hold)"):
        report.write(tmp_path)


@pytest.mark.usefixtures("undrawn")
def test_the_limits_name_the_proxies(tmp_path):
    study = study_on_a_proxy(tmp_path, [("lr=0.1", {"train.lr": 0.1}, "sweep", 0.0)])
    said = words_of(report.write(study.folder).read_text()).partition("Limits")[2]
    assert "3 trials were trained on another network" in said
    assert "lenet-9-5, mnist / 2, 9 steps (3 trials)" in said


def test_labels_that_are_markup_or_files_stay_text(tmp_path):
    evil = "../<b>$x$"
    points = [(f"{evil}={value}", {"train.lr": 1.0}, "sweep", 0.0) for value in ("a", "<i>")]
    trials, rows = sweep(points)
    folder = write_study(tmp_path / "s", [*anchor_rows(), *rows], [trial(0), *trials])
    page = report.write(folder).read_text()
    assert "<b>$x$" not in page
    assert "sweep-1-b-x" in stems(folder)
    assert {path.name for path in tmp_path.iterdir()} == {"s"}


@pytest.mark.usefixtures("undrawn")
def test_the_table_of_trials_sorts_by_numbers_and_not_by_their_text(tmp_path):
    folder = write_study(tmp_path, trials=[trial(0, objective=0.123456789), trial(1, seconds=None)])
    page = report.write(folder).read_text()
    whole = '<tr id="trial-{0}"><td>{0}</td><td class="text">anchor.*?</tr>'
    row = re.search(whole.format(0), page, re.DOTALL).group()
    assert 'data-value="0.123456789">0.1235</td>' in row
    other = re.search(whole.format(1), page, re.DOTALL).group()
    assert 'data-value="">–</td></tr>' in other
    gain = pd.read_csv(folder / "figures" / "trials.csv")["gain"]
    rows = {(r["level"], r["replicate"]): r for r in anchor_rows() if r["branch"] == "trunk"}
    expected = rows[4, 0]["test_accuracy"] - rows[0, 0]["test_accuracy"]
    assert gain[0] == pytest.approx(expected)

"""What a table says of a phase it says of every phase with the same row: none is known by name."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
from sample_study import ANCHOR, LEVELS, anchor_rows, network, search_trials, trial, write_study
from sample_sweeps import LOTTERY, POINTS, design_study, sweep

from analysis.figures.design.map import map_table
from analysis.figures.search.budget import budget_table, random_trials
from analysis.figures.search.pareto import pareto_table
from analysis.figures.search.search import search
from analysis.frame import StudyFrame, load
from analysis.report.answer import answer, has_anchor, scale_line
from analysis.tables.confirmation import confirmation_table, confirmed_trials
from analysis.tables.curves import curve_table
from analysis.tables.design.points import design_points
from analysis.tables.fair_comparison import choice_table, pair_table
from analysis.tables.noise import noise_table
from analysis.tables.sweeps import gain_table, sweep_networks
from analysis.tables.trials import best_table, is_searched
from lttune.config.phase import PHASES

PATH = "train.optimizer"


def of_winners(start: int, first: int, arms: dict[str, dict]):
    """Returns trials and networks of a confirmation of some choices beside the base, twice."""
    trials, rows = [], []
    for replicate in (first, first + 1):
        for lead, (name, hparams) in enumerate(({"base": {}} | arms).items()):
            number, role = start + len(trials), "paper" if name == "base" else "fresh"
            facts = {"label": f"{name} replicate={replicate}", "hparams": hparams, "role": role}
            trials.append(trial(number, "confirm", 0.9, replicates=[replicate], **facts))
            rows += [
                network(
                    "confirm", number, replicate, branch, k, 0.8 + lead * k / 100 + replicate / 1e8
                )
                for branch in ("trunk", "reinit")
                for k in range(branch != "trunk", LEVELS + 1)
            ]
    return trials, rows


def whole(folder) -> StudyFrame:
    """Returns a study with trials of every phase."""
    designed = design_study(folder / "design")
    spread = designed.trials.to_dict("records")
    swept, swept_rows = sweep(POINTS, start=100)
    drawn = [trial(200 + i, "random", 0.8 + 0.01 * i, values=[0.8 + 0.01 * i]) for i in range(4)]
    tuned = [
        trial(300 + i, "tune", 0.8 + 0.01 * i, hparams={PATH: value, "train.lr": lr}, role="tune")
        for i, (value, lr) in enumerate((v, lr) for v in ("adam", "sgd") for lr in (0.1, 0.2))
    ]
    proposed = search_trials(5, start=400)
    winner = max(proposed, key=lambda one: one["objective"])
    arms = {f"search trial {winner['number']}": winner["hparams"]}
    arms |= {"tune trial 301 (adam)": tuned[1]["hparams"]}
    arms |= {"tune trial 303 (sgd)": tuned[3]["hparams"]}
    confirming, networks = of_winners(500, 100_000, arms)
    anchors = [trial(600 + n, replicates=[n]) for n in range(3)]
    rows = [row | {"trial": row["trial"] + 600} for row in anchor_rows()]
    rows += [*designed.records.to_dict("records"), *swept_rows, *networks]
    trials = [*spread, *swept, *drawn, *tuned, *proposed, *confirming, *anchors]
    info = {"lottery": LOTTERY | {"train": LOTTERY["train"] | ANCHOR}, "compared": PATH}
    config = {"phases": list(PHASES), "objective": {"name": "accuracy_at", "density": 0.5}}
    info |= {"config": config, "factors": designed.info["factors"]}
    return load(write_study(folder / "whole", rows, trials, dict.fromkeys(PHASES, 1), **info))


def read(study: StudyFrame) -> dict[str, str]:
    """Returns what the analysis says of a study, as text."""
    pareto = dataclasses.replace(
        study,
        info=study.info | {"objective": {"directions": ["maximize", "minimize"]}},
        trials=study.trials.assign(values=[[one, 0.2] for one in study.trials["objective"]]),
    )
    drawing = search(study, "")
    assert drawing is not None
    labels = drawing.figure.axes[0].get_legend_handles_labels()[1]
    tables = {
        "confirmed": confirmed_trials(study).drop(columns="phase"),
        "confirmation": confirmation_table(study),
        "curves": curve_table(study.records, "test_accuracy"),
        "design": design_points(study),
        "choice": choice_table(study),
        "pairs": pair_table(study),
        "noise": noise_table(study, (1.0,)),
        "gains": gain_table(sweep_networks(study)),
        "best": best_table(study, 0.5),
        "pareto": pareto_table(pareto),
        "budget": budget_table(study),
        "map": map_table(study)[0],
    }
    assert [name for name, table in tables.items() if table.empty and name != "map"] == []
    words = [labels, random_trials(study)[0], is_searched(study), has_anchor(study)]
    words += [scale_line(study), answer(study)]
    with pd.option_context("display.max_columns", None, "display.max_rows", None):
        return {name: table.to_string() for name, table in tables.items()} | {"words": str(words)}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return whole(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def expected(study):
    return read(study)


@pytest.mark.parametrize("name", list(PHASES))
def test_another_row_of_the_same_kind_is_read_as_that_one_is(name, study, expected, monkeypatch):
    # As long as the name, so that tables are as wide.
    other = name[::-1]
    row = dataclasses.replace(PHASES[name], name=other, called=PHASES[name].title)
    monkeypatch.setitem(PHASES, other, row)

    def renamed(table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(phase=table["phase"].replace(name, other))
        if "label" in table:
            table["label"] = table["label"].str.replace(f"{name} trial", f"{other} trial")
        return table

    phases = [other if one == name else one for one in study.info["config"]["phases"]]
    found = dataclasses.replace(
        study,
        info=study.info | {"config": study.info["config"] | {"phases": phases}},
        trials=renamed(study.trials),
        records=renamed(study.records),
    )
    told = {key: text.replace(other, name) for key, text in read(found).items()}
    assert told == expected


def test_two_phases_that_confirm_are_pooled_by_configuration(study, monkeypatch):
    monkeypatch.setitem(PHASES, "again", dataclasses.replace(PHASES["confirm"], name="again"))
    winner = confirmed_trials(study).iloc[0]
    more, rows = of_winners(700, 100_002, {winner["name"]: winner["hparams"]})
    found = pd.DataFrame(more).assign(phase="again"), pd.DataFrame(rows).assign(phase="again")
    both = dataclasses.replace(
        study,
        trials=pd.concat([study.trials, found[0]], ignore_index=True),
        records=pd.concat([study.records, found[1]], ignore_index=True),
    )
    once, twice = (confirmation_table(one).set_index("name") for one in (study, both))
    assert (once.loc[winner["name"], "pairs"], twice.loc[winner["name"], "pairs"]) == (2, 4)
    assert twice.loc[winner["name"], "difference"] == pytest.approx(
        once.loc[winner["name"], "difference"]
    )

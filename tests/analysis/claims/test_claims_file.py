"""The shipped claims: all of them, in their form, and what is decidable can be executed."""

import dataclasses
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from planted import records, trial
from preset_rows import PRESETS
from scipy.stats import ttest_1samp

from analysis.claims import power_table, read, verdicts
from analysis.claims.lock import lock
from analysis.statistics.verdicts.power import equivalence_power, superiority_power
from lttune.config.control import ControlName
from lttune.config.design import SWEEPS

RECORDS = Path(__file__).parents[3] / "docs" / "results" / "sensitivity" / "records.parquet"
REGISTRY = read()
CLAIMS = REGISTRY.claims
COUNTS = {"FC": 14, "F": 11, "G": 19, "C": 11, "H": 11, "V": 4, "R": 4, "I": 4, "X": 70}


def test_every_claim_of_the_sources_is_there():
    assert Counter(claim.id.partition("-")[0] for claim in CLAIMS) == COUNTS
    assert len({claim.id for claim in CLAIMS}) == 148


def test_texts_are_one_sentence():
    for claim in CLAIMS:
        assert claim.text.endswith(".")
        assert claim.text.count(". ") == 0, claim.id


def test_settings_are_the_presets():
    size = {"levels"}
    for name, setting in REGISTRY.settings.items():
        ours, theirs = setting.flat(), PRESETS[name].flat()
        assert {k: v for k, v in ours.items() if k not in size} == {
            k: v for k, v in theirs.items() if k not in size
        }


def test_branches_are_controls_that_studies_know():
    known = {"trunk", *get_args(ControlName)}
    for claim in CLAIMS:
        for question in claim.questions:
            assert {arm.branch for arm in question.arms} <= known, claim.id


@pytest.mark.parametrize(
    ("name", "sweep"),
    [
        ("G-LR-ALL", "adam-lr"),
        ("G-SGD-ALL", "sgd-lr"),
        ("G-MOM-ALL", "momentum-lr"),
        ("G-STD-ALL", "init"),
    ],
)
def test_the_pattern_is_asked_at_every_value_of_a_sweep(name, sweep):
    claim = REGISTRY.claim(name)
    plain = [SWEEPS[sweep].hparams(value) for value in SWEEPS[sweep].values]
    for measure in ("gain", "steps_ratio"):
        asked = [question for question in claim.questions if question.measure == measure]
        arms = [dict(arm.at) for question in asked for arm in question.arms]
        assert sorted(arms, key=str) == sorted(plain, key=str)
        # Those that need the source's whole length are the lowest learning rates.
        long = [dict(arm.at) for q in asked if q.least_steps for arm in q.arms]
        assert long == plain[: len(long)]
        assert len(long) == {"G-LR-ALL": 2, "G-SGD-ALL": 3}.get(name, 0)


def test_contradictions_are_both_there():
    assert REGISTRY.claim("G-MOM-ALL").conflicts == ("G-MOM-025",)
    for claim in CLAIMS:
        for other in claim.conflicts:
            assert claim.id in REGISTRY.claim(other).conflicts


def test_what_a_cpu_decides_has_questions_or_says_why_not():
    for claim in CLAIMS:
        assert claim.questions or claim.why
        if claim.id.startswith(("FC-", "G-")) and claim.id != "FC-ES-PROXY":
            assert claim.questions, claim.id
            assert claim.role == "confirmatory"


OWN = {"lenet-300-100", "fully connected"}
"""How sources call LeNet-300-100: Zhou et al.'s (2019) fully connected network is that one."""


def test_what_is_of_lenet_on_mnist_is_confirmatory():
    """Another network or other pictures, and what varies the network, may stay exploratory."""
    proxies = {claim.id for claim in CLAIMS if claim.why}
    for claim in CLAIMS:
        here = {name.strip() for name in re.split("[;,]", claim.network)}
        mine = bool(here & OWN) and "mnist" in claim.dataset and claim.id not in proxies
        assert not mine or claim.role == "confirmatory", claim.id
    later = [claim.id for claim in CLAIMS if claim.role == "confirmatory" and claim.id[0] in "X"]
    assert later == [
        "X-LMC-STABLE",
        "X-LMC-MATCH",
        "X-ZHOU-SIGN",
        "X-ZHOU-CRIT",
        "X-ZHOU-ZERO",
        "X-ZHOU-SUPER",
    ]


def test_what_no_question_asks_names_what_is_missing():
    silent = [claim.id for claim in CLAIMS if not claim.questions]
    assert silent == [
        "FC-ES-PROXY",
        "H-DROP-TRAIN",
        "R-EARLY",
        "X-LN21-CORR",
        "X-MA21-RES",
        "X-MA21-JACKPOT",
        "X-NPTM21",
        "X-GAD25-EARLY",
        "X-GAD25-SETTLE",
        "X-GAD25-PROD",
        "X-GAD24-FLIPS",
        "X-CYC24-DENSE",
        "X-CYC24-RANDOM",
        "X-OH25-BASIN",
        "X-PCH26-DIST",
        "X-ADN25-GAIN",
        "X-ADN25-K0",
        "X-ADN25-MODE",
        "X-ADN25-DIV",
        "X-QUR26-LENET",
        "X-CTS25-SHUF",
        "X-TSA26-GATE",
        "X-SAK26-ZERO",
        "X-RED24-LOCAL",
        "X-ZHA24-DEAD",
        "X-NAL22-SMALL",
        "X-KUY25-PAIRS",
        "X-SHP26-CORR",
    ]
    for name in silent:
        assert REGISTRY.claim(name).why.startswith("Missing: "), name


def test_the_pattern_is_presumed_where_a_sweep_is_about_it():
    presuming = {claim.id: claim.presumes for claim in CLAIMS if claim.presumes}
    fully = dict.fromkeys(
        ["G-LR-ALL", "G-LR-EXTREME", "G-SGD-ALL", "G-MOM-ALL", "G-STD-ALL"],
        "FC-ACC: gain in the window",
    )
    conv = dict.fromkeys(["H-LR-ALL", "H-SGD-ALL"], "C-ACC: gain in the window")
    assert presuming == fully | conv


@pytest.mark.slow
def test_every_question_can_be_answered():
    """Records of just its cells: no claim lacks a column, a density or a rule."""
    for claim in CLAIMS:
        if not claim.questions or claim.id.startswith(("FC-", "F-", "G-")):
            continue
        alone = dataclasses.replace(claim, presumes="", n=3)
        cells = {
            (arm.branch, repr(sorted(arm.at.items()))): arm
            for question in claim.questions
            for arm in question.arms
        }
        rows = records(
            *(
                trial(
                    i,
                    n=3,
                    branch=arm.branch,
                    at=arm.at,
                    base=REGISTRY.settings[claim.setting],
                    levels=24,
                    start_val_accuracy=0.5 + 0.01 * i,
                    end_val_loss=0.2 + 0.01 * i,
                    **{f"sign_changes.{layer}": 0.3 for layer in ("fc1", "fc2", "out")},
                )
                for i, arm in enumerate(cells.values())
            )
        )
        table = verdicts(rows, dataclasses.replace(REGISTRY, claims=(alone,)))
        assert table["verdict"].ne("not tested").any(), (claim.id, table["reason"].tolist())


def test_unpaired_weights_cancel():
    """A contrast of accuracies whose weights do not sum to 0 is a mean of something else."""
    for claim in CLAIMS:
        for question in claim.questions:
            several = len(question.arms) > 1 and question.compare == "contrast"
            if several:
                total = sum(arm.weight for arm in question.arms)
                assert total == pytest.approx(0, abs=1e-5), claim.id


@pytest.mark.slow
def test_claims_of_lenet_are_executable_on_the_records_that_studies_write():
    """Every arm of the claims of FC and G, at 3 replicates: none is left untested."""
    wanted = [claim for claim in CLAIMS if claim.id.startswith(("FC-", "G-")) and claim.questions]
    setting = {"prune.fractions.fc1": 0.2, "prune.fractions.fc2": 0.2, "train.steps": 50_000}
    cells = {
        (arm.branch, tuple(sorted(arm.at.items()))): arm
        for claim in wanted
        for question in claim.questions
        for arm in question.arms
    }
    levels = {0.1: 40, 0.2: 20, 0.4: 9, 0.6: 6, 0.8: 4}
    rows = records(
        *(
            trial(
                i,
                n=3,
                branch=arm.branch,
                at=setting | dict(arm.at),
                levels=26 if "model.name" in arm.at else levels[arm.at.get("prune.fraction", 0.2)],
            )
            for i, arm in enumerate(cells.values())
        )
    )
    few = lock(REGISTRY, 3, "2026-01-01T00:00:00+00:00")
    table = verdicts(rows, REGISTRY, lock=few).set_index("claim")
    tested = table.loc[[claim.id for claim in wanted], ["verdict", "reason"]]
    assert not tested[tested["verdict"] == "not tested"].to_dict("index")


def test_a_claim_on_real_records_is_a_plain_mean_of_paired_differences():
    """FC-ACC is about densities from 21.1 to 10.8 %: levels 7 to 10."""
    records = pd.read_parquet(RECORDS)
    claim = REGISTRY.claim("FC-ACC")
    asked = claim.questions[0]
    few = dataclasses.replace(REGISTRY, claims=(dataclasses.replace(claim, questions=(asked,)),))
    row = verdicts(records, few).iloc[0]
    mine = records[(records["phase"] == "anchor") & (records["branch"] == "trunk")]
    at = mine.pivot_table(index="replicate", columns="level", values="test_accuracy")
    gain = at[[7, 8, 9, 10]].mean(axis=1) - at[0]
    low, high = ttest_1samp(gain, 0).confidence_interval(0.95)
    assert (row["verdict"], row["n"], row["part"]) == ("supported", len(gain), asked.name)
    assert row["estimate"] == pytest.approx(gain.mean(), abs=1e-5)
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-5)
    assert row["deviates"] == ["train.steps 3,000 instead of 50,000"]


def test_power_says_what_can_only_end_inconclusive():
    table = power_table(REGISTRY, sd=0.0015, n=5).set_index("claim")
    one = table.loc["FC-REINIT-ACC"]
    assert one["power"] <= superiority_power(difference=0.002, sd=0.0015, n=5)
    assert one["power_holm"] < one["power"]
    assert one["warning"] == "power below 0.8: probably inconclusive"
    noise = table.loc["F-NOISE-0.5"]
    assert noise["power"] == pytest.approx(equivalence_power(margin=0.002, sd=0.0015, n=5))
    plenty = power_table(REGISTRY, sd=0.0005, sd_log=0.05, n=20)
    assert not plenty["warning"].any()
    assert table["power"].isna().equals(plenty["power"].set_axis(table.index).isna())

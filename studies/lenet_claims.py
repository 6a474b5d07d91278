"""Which of the literature's claims about lottery tickets hold on a LeNet?

Source: Frankle & Carbin (2019), sections 1-2 and Appendices A-G, and those who followed; every
claim that two CPU cores can decide (tiers A and A-) in analysis/claims/file/claims.yaml. The anchor
is the paper's LeNet-300-100 with its main controls. The sweeps and the other controls are trained
on a proxy, LeNet-100-34 on pictures of 14x14, which takes a fifth of the time. The claims are
locked before anything is trained, and the report begins with the verdicts.

Cost on 2 cores: smoke a minute (digits), quick under two hours, paper days (no proxy).

    python studies/lenet_claims.py --plan
    python studies/lenet_claims.py --scale smoke
"""

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from analysis import lock_claims, write_report
from lttune.config.design import SWEEPS, Point, reaching
from lttune.config.presets import LENET_300_100
from lttune.records.objectives import ObjectiveConfig
from lttune.study import PhaseName, Scale, Study, StudyConfig, main

CONTROLS = ("reinit", "random", "one_shot")
"""Beside every ticket of the anchor."""
OTHERS = (
    *CONTROLS,
    "shuffle",
    "permute",
    "keep_sign",
    "signed_constant",
    "noise_0.5",
    "noise_1",
    "noise_2",
    "noise_3",
    "finetune",
    "sibling",
)
"""Beside the tickets of the paper's setting on the proxy. Controls that hold pruned weights at
their initial values would need the torch engine for all of the study."""
LAST = 0.019
"""Where trajectories end: the lowest density that a claim about sweeps names."""

PROXY = {"model.name": "lenet-100-34", "data.pool": 2}
CRITERIA = ("large_init", "magnitude_increase", "random", "small_final")
WIDTHS = {"50-17", "100-34", "300-100", "900-300"}
"""Those that claims name; the paper's others have fewer replicates."""
LAST_OF_WIDTHS = 0.0105
"""Where trajectories of the width sweep end: claims compare networks of 5,000 weights."""


def sweeps(n: int) -> list[Point]:
    """Returns the paper's sweeps but for the widths, ``n`` replicates of each value."""
    return [p for name, s in SWEEPS.items() if name != "width" for p in s.points(replicates=n)]


def widths(n: int, rest: int) -> list[Point]:
    """Returns the sweep of widths, ``n`` replicates of those that claims name, ``rest`` else."""
    return [
        dataclasses.replace(point, replicates=tuple(range(n if value in WIDTHS else rest)))
        for point in SWEEPS["width"].points(replicates=n)
        for value in [point.label.partition("=")[2]]
    ]


def variants(n: int, *, large_batch: bool) -> list[Point]:
    """Returns the other settings that claims compare with the paper's.

    A batch of 1,024 costs as much as all the others together.
    """

    def variant(label: str, controls: Sequence[str] = (), **hparams: Any) -> Point:
        return Point(
            hparams=hparams,
            replicates=tuple(range(n)),
            role="sweep" if hparams else "paper",
            label=label,
            controls=tuple(controls),
        )

    criteria = [variant(f"criterion={c}", **{"prune.criterion": c}) for c in CRITERIA]
    large = [variant("batch=1024", ["reinit"], **{"train.batch_size": 1024})]
    return [
        variant("paper", OTHERS),
        variant("kept=continue", ["reset"], kept="continue"),
        variant("scope=global", **{"prune.scope": "global"}),
        variant("weight_decay=1e-05", **{"train.weight_decay": 1e-5}),
        variant("criterion=snip", ["shuffle"], **{"prune.criterion": "snip"}),
        *criteria,
        *(large if large_batch else []),
    ]


def on_proxy(points: Iterable[Point]) -> list[Point]:
    """Returns the points on the proxy, but for what they set themselves."""
    return [dataclasses.replace(p, hparams={**PROXY, **p.hparams}) for p in points]


def config(scale: Scale, replicates: int, controls: Sequence[Any], **hparams: Any) -> StudyConfig:
    """Returns the settings of a scale."""
    return StudyConfig(
        name=f"lenet-claims-{scale}",
        scale=scale,
        phases=("anchor", "sweep"),
        replicates=replicates,
        controls=tuple(controls),
        objective=ObjectiveConfig(density=0.05 if scale != "smoke" else 0.7),
        lottery=LENET_300_100.override(hparams),
    )


SMALL = {
    "data.name": "digits",
    "model.name": "lenet-40-20",
    "levels": 2,
    "train.steps": 150,
    "train.eval_every": 25,
    "train.eval_test": False,
    "train.eval_train": 100,
}
MEDIUM = {
    "levels": 20,
    "min_density": LAST,
    "train.steps": 12_000,
    "train.eval_test": False,
    "train.eval_train": 2_000,
}
FEW = ("paper", "kept=continue", "adam-lr=0.002", "sgd-lr=0.4", "rate=0.4")

POINTS: dict[str, dict[PhaseName, list[Point]]] = {
    "smoke": {
        "sweep": [p for p in [*variants(1, large_batch=False), *sweeps(1)] if p.label in FEW]
    },
    "quick": {
        "sweep": [
            *reaching(on_proxy([*variants(6, large_batch=False), *sweeps(6)]), LAST),
            *reaching(on_proxy(widths(6, 3)), LAST_OF_WIDTHS),
        ]
    },
    "paper": {
        "sweep": [
            *reaching([*variants(10, large_batch=True), *sweeps(10)], LAST),
            *reaching(widths(10, 10), LAST_OF_WIDTHS),
        ]
    },
}

STUDY = Study(
    question="Which of the literature's claims about lottery tickets hold on a LeNet?",
    source="Frankle & Carbin (2019) and those who followed: analysis/claims/file/claims.yaml",
    scales={
        "smoke": config("smoke", 1, ["reinit"], **SMALL),
        "quick": config("quick", 6, CONTROLS, **MEDIUM),
        "paper": config("paper", 10, CONTROLS),
    },
    space={},
    file=Path(__file__),
    points=POINTS,
    prepare=lock_claims,
)

if __name__ == "__main__":
    sys.exit(main(STUDY, write_report, __doc__))

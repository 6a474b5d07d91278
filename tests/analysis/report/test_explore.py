"""What the page has to explore: positions on axes, and the data that its script draws."""

import html
import itertools
import json
import math
import re
import sys

import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from sample_study import anchor_rows, ended_rows, network, search_trials, trial, write_study
from sample_sweeps import design_study

from analysis.frame import load
from analysis.importance.saved import FRAMES, Importances
from analysis.report import write as report
from analysis.report.page import SCRIPTS, scripts_of
from analysis.report.rows.exploring import INKS, MOST_FACTORS, explored
from analysis.report.rows.positions import LONGEST, on_choices, on_numbers, positions
from analysis.report.rows.shares import shares_by_density
from analysis.report.section import Subject

TRIALS = [*(trial(number) for number in range(3)), *search_trials(8)]
SEARCHED = [
    network("search", number, 0, "trunk", level, 0.9 + 0.005 * number - 0.01 * level)
    for number in range(3, 11)
    for level in range(3)
]
MARKER = "</script><b id=marker>$x$</b><!--<script>"
MOST_BYTES = 4_000_000


def data_of(page):
    """Returns what the page's script reads."""
    found = re.search(r'id="explore-data">(.*?)</script>', page, flags=re.DOTALL)
    return json.loads(found.group(1))


def exploration(folder, rows=None, trials=TRIALS, **info):
    rows = [*anchor_rows(), *SEARCHED] if rows is None else rows
    return explored(Subject(study=load(write_study(folder, rows, trials, **info))), {})


def axis(found, name):
    """Returns an axis, and where each trial lies on it."""
    (place,) = [i for i, one in enumerate(found["axes"]) if one["name"].startswith(name)]
    return found["axes"][place], [one["at"][place] for one in found["trials"]]


def test_lines_of_all_colours_can_be_seen_on_white():
    def light(value):
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    for ink in INKS:
        parts = (light(part) for part in to_rgb(ink))
        luminance = sum(map(math.prod, zip(parts, (0.2126, 0.7152, 0.0722), strict=True)))
        assert 1.05 / (luminance + 0.05) > 2.9  # WCAG 2.2 asks 3 of graphics.


def test_a_trial_lies_where_its_numbers_are(tmp_path):
    found = exploration(tmp_path)["explore"]
    assert found["densities"] == ["100.0 %", "80.0 %", "64.0 %", "51.2 %", "41.0 %"]
    assert [one["number"] for one in found["trials"]] == list(range(11))
    accuracy, at = axis(found, "Test accuracy")
    # At 64 % the lowest of all is 0.895, of trial 3, and the search's best 0.93, of trial 10.
    low, high = (float(label) for _, label in (accuracy["ticks"][2][0], accuracy["ticks"][2][-1]))
    assert low == pytest.approx(89.5)
    assert at[3][2] == 0
    ninety_three = (93 - low) / (high - low)
    assert at[10][2] == pytest.approx(ninety_three, abs=1e-3)
    assert found["trials"][10]["accuracy"][2] == "93.00 %"
    assert found["trials"][10]["gain"][2] == "−2.00"
    assert found["trials"][10]["n"] == [1, 1, 1, 0, 0]
    # Trained down to 64 % only.
    assert at[10][3:] == [None, None]
    assert found["trials"][10]["accuracy"][3] == "–"
    rates = [one["hparams"]["train.lr"] for one in TRIALS]
    _, at = axis(found, "train.lr")
    ends = math.log(min(rates)), math.log(max(rates))
    expected = [(math.log(rate) - ends[0]) / (ends[1] - ends[0]) for rate in rates]
    assert at == pytest.approx(expected, abs=1e-3)
    scope, at = axis(found, "prune.scope")
    assert scope["ticks"] == [(0.0, "layer"), (1.0, "global")]
    assert at[3:5] == [0, 1]


def test_the_lowest_density_is_the_last_that_is_within_the_margin(tmp_path):
    losses = [0, 0.001, 0.004, 0.0015, 0.003]
    rows = [network("anchor", 0, 0, "trunk", k, 0.9 - loss) for k, loss in enumerate(losses)]
    found = exploration(tmp_path, rows, [trial(0)])["explore"]
    assert [one["lowest"] for one in found["trials"]] == ["51.2 %"]


def test_replicates_are_averaged_and_diverged_ones_left_out(tmp_path):
    rows = [network("anchor", 0, r, "trunk", k, 0.9 + 0.01 * r) for r in (0, 1) for k in (0, 1)]
    rows[-1] |= {"diverged": True}
    found = exploration(tmp_path, rows, [trial(0, replicates=[0, 1])])["explore"]
    (only,) = found["trials"]
    assert (only["accuracy"], only["n"]) == (["90.50 %", "90.00 %"], [2, 1])
    assert only["diverged"] == 1


@pytest.mark.parametrize(
    "rows",
    [
        anchor_rows(replicates=1),
        anchor_rows(levels=0),
        ended_rows(),
        [row | {"diverged": True} for row in anchor_rows(branches=["trunk"])],
        [row | {"test_accuracy": None} for row in anchor_rows(branches=["trunk"])],
        [network("anchor", 0, 0, "trunk", 1, 0.9)],
    ],
    ids=["one-trial", "dense", "ended", "diverged", "unknown", "no-dense"],
)
def test_whatever_there_is_is_plain_json(tmp_path, rows):
    numbers = sorted({row["trial"] for row in rows})
    found = exploration(tmp_path, rows, [trial(number) for number in numbers])["explore"]
    assert [one["number"] for one in found["trials"]] == numbers
    assert 0 <= found["start"] < len(found["densities"])
    json.dumps(found, allow_nan=False)


def test_how_deep_a_trajectory_goes_is_no_axis(tmp_path):
    deep = {"levels": 9, "min_density": 0.1}
    trials = [trial(n, hparams={"train.lr": 0.1 * (n + 1), **(deep if n else {})}) for n in (0, 1)]
    rows = [network("anchor", number, 0, "trunk", 0, 0.9) for number in (0, 1)]
    found = exploration(tmp_path, rows, trials)["explore"]
    assert [one["name"] for one in found["axes"][3:]] == ["train.lr"]


def test_of_many_hyperparameters_those_are_shown_that_vary_most(tmp_path):
    names = [f"x.h{place:02d}" for place in range(MOST_FACTORS + 3)]
    # The later a name the fewer trials set it.
    trials = [
        trial(number, hparams=dict.fromkeys(names[: len(names) - number], number + 1.5))
        for number in range(len(names))
    ]
    rows = [network("anchor", number, 0, "trunk", 0, 0.9) for number in range(len(names))]
    found = exploration(tmp_path, rows, trials)
    assert [one["name"] for one in found["explore"]["axes"][3:]] == names[:MOST_FACTORS]
    assert found["left_out"] == 3


def test_numbers_lie_between_their_ends():
    found = on_numbers([2.0, None, 4.0, 3.0])
    assert found.at == [0, None, 1, 0.5]
    assert (found.ticks[0], found.ticks[-1]) == ((0.0, "2"), (1.0, "4"))
    assert on_numbers([0.01, 0.1, 1.0]).at == [0, 0.5, 1]  # By their logarithms.
    assert on_numbers([5.0, 5.0]) == ([0.5, 0.5], [(0.5, "5")])
    assert on_numbers([None]) == ([None], [])


def test_what_lies_far_from_all_others_lies_at_an_end():
    values = [0.1, 0.9, 0.92, 0.93, 0.94, 0.96, 5.0]
    cut = on_numbers(values, is_cut=True)
    assert cut.at == [0, 0, 0.333, 0.5, 0.667, 1, 1]
    assert (cut.ticks[0], cut.ticks[-1]) == ((0, "≤ 0.9"), (1, "≥ 0.96"))
    assert on_numbers(values).ticks[-1] == (1, "5")
    for whole in ([1.0, 2.0, 3.0, 8.0], [1.0, 1.0, 1.0, 1.0, 5.0], [1.0, 2.0]):
        ends = [label for _, label in on_numbers(whole, is_cut=True).ticks]
        assert (ends[0], ends[-1]) == (f"{min(whole):g}", f"{max(whole):g}")


@pytest.mark.parametrize("values", [[0.1, 97.3], [1e-5, 0.3], [16.0, 256.0], [0.0, 1e-9]])
def test_labels_of_an_axis_are_apart(values):
    places = [at for at, _ in on_numbers(values).ticks]
    assert places[0] == 0
    assert places[-1] == 1
    assert min(b - a for a, b in itertools.pairwise(places)) >= 0.14


def test_choices_lie_evenly_and_long_ones_are_cut():
    found = on_choices(["a", None, "b" * 40, "c", "a"])
    assert found.at == [0, None, 0.5, 1, 0]
    assert [len(label) for _, label in found.ticks] == [1, LONGEST, 1]
    assert len(on_choices([str(i) for i in range(100)]).ticks) == 7
    assert positions([True, False, math.nan]).at == [0, 1, None]
    assert positions([1, "1", 2]).at == [0, 0, 1]
    far = positions([1e308, -1e308])
    assert (far.at, [label for _, label in far.ticks]) == ([0, 1], ["1e+308", "-1e+308"])


def test_words_of_a_study_are_inert(tmp_path):
    trials = [*TRIALS[:10], TRIALS[10] | {"hparams": {"prune.scope": MARKER, MARKER: MARKER}}]
    rows = [*anchor_rows(), *SEARCHED]
    page = report.write(write_study(tmp_path, rows, trials, name=MARKER)).read_text()
    # The data, and each script.
    expected = 1 + sum(len(files) for files in SCRIPTS.values())
    assert page.count("<script") == page.count("</script") == expected
    assert "<!--" not in page
    assert "<b id" not in page
    found = data_of(page)
    assert MARKER in [one["name"] for one in found["axes"]]
    assert MARKER in found["trials"][10]["settings"]
    assert html.escape(MARKER) in page


def test_a_page_is_of_a_size_that_can_be_sent_and_its_scripts_are_named(tmp_path):
    page = report.write(write_study(tmp_path)).read_bytes()
    assert 1_000_000 < len(page) < MOST_BYTES
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page.decode()).group(1)
    (allowed,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    assert len(re.findall(r"'sha256-[\w+/]{43}='", allowed)) == len(allowed.split()) - 1 == 4
    # Its models take a second to import, and the page needs none.
    assert "bokeh.models" not in sys.modules


def test_a_script_that_would_end_early_is_refused(tmp_path, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("")
    (tmp_path / "own" / "a.js").write_text("const a = '</SCRIPT>'")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(SCRIPTS, "own", (("own", "a.js"),))
    with pytest.raises(ValueError, match=r"a\.js of own cannot stand in a page"):
        scripts_of("own")


STRIP = pd.DataFrame(
    {
        "density": [1.0, 0.64, 0.4096],
        "status": ["ok", "ok", "flat"],
        "reason": ["", "", "responses are one number"],
        "trajectories": [20, 19, 18],
        "q2": [0.9, 0.8, math.nan],
    }
)
SHARES = pd.DataFrame(
    [
        {"density": density, "factor": factor, "first": first, "first_low": 0.1, "first_high": 0.5}
        | {"total": 0.6, "total_low": 0.2, "total_high": 0.7}
        for density, factor, first in ((1.0, "a", 0.3), (1.0, "b", 0.4), (0.64, "b", 0.45))
    ]
)


BELOW = "At 20.0 %: not known; the lowest estimate is at 41.0 % (too few)."


def test_shares_are_those_of_the_nearest_estimate():
    frames = dict.fromkeys(FRAMES, SHARES[:0]) | {"strip": STRIP}
    design = Importances(
        **frames | {"table": SHARES, "ended": "too few", "divergence": "", "sample": ""}
    )
    found = shares_by_density(design, [1.0, 0.8, 0.64, 0.512, 0.4096, 0.2])
    assert found["factors"] == ["a", "b"]
    levels = found["levels"]
    assert levels[0]["bars"] == [[0.3, 0.1, 0.5, 0.6, 0.2, 0.7], [0.4, 0.1, 0.5, 0.6, 0.2, 0.7]]
    said = "Estimated at 100.0 % of the weights: n = 20 trajectories, Q2 = 0.90."
    assert levels[0]["text"] == said
    assert levels[2]["bars"] == [[None] * 6, [0.45, 0.1, 0.5, 0.6, 0.2, 0.7]]
    assert levels[1] == levels[0]
    assert levels[3] == levels[2]  # As near to one of which nothing is known.
    assert levels[4]["bars"] is None
    assert levels[4]["text"].endswith("not known (responses are one number).")
    assert levels[5] == {"bars": None, "text": BELOW}
    nothing = Importances(**frames, sample="", ended="", divergence="")
    assert shares_by_density(nothing, [1.0]) is None


def test_a_design_without_shares_has_its_trials(tmp_path):
    study = design_study(tmp_path, factors=[])
    found = explored(Subject(study=study), {})["explore"]
    assert found["shares"] is None
    assert len(found["trials"]) == len(study.trials)

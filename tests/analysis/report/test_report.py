"""The report: what it says of whole and of degraded studies, and that it stands alone."""

import base64
import hashlib
import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sample_study import (
    SPACE,
    anchor_rows,
    ended_rows,
    network,
    run,
    search_trials,
    trial,
    write_study,
)

from analysis.report import write as report
from analysis.report.page import SCRIPTS
from lttune.__main__ import main as command

FULL = {
    "trials": [*(trial(number) for number in range(3)), *search_trials(8)],
    "planned": {"anchor": 3, "search": 8},
}
FIGURES = {"accuracy", "early_stop", "search", "factors"}


def text(folder):
    return report.write(folder).read_text()


def words(folder):
    return words_of(text(folder))


def words_of(page):
    """Returns the page's text without its figures, styles, script and line breaks."""
    page = re.sub(r"<(svg|style|script).*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A whole study that is reported once for the tests which only read the page."""
    folder = write_study(tmp_path_factory.mktemp("full") / "s", **FULL)
    report.write(folder)
    return folder


def test_full_report_answers_in_numbers(full):
    said = words_of((full / "report.html").read_text())
    assert "Does it win?" in said
    assert "ticket minus" not in said
    assert re.search(r"Ticket minus dense, .*?: \+0\.4\d percentage points \(95 % interval", said)
    assert "the ticket is more accurate here" in said
    assert "n = 3" in said
    assert "1,000 steps per level" in said
    assert "Best trials" in said
    assert "abc123" in said
    # Every replicate stops ten steps earlier per level, whose interval has no width.
    assert "is 40 steps earlier than the dense network's, in each of 3 replicates, which" in said
    assert {path.stem for path in (full / "figures").glob("*.svg")} == FIGURES
    tables = {"differences", "trials"}
    assert {path.stem for path in (full / "figures").glob("*.csv")} == FIGURES | tables


@pytest.mark.usefixtures("undrawn")
def test_intervals_that_hold_zero_cannot_be_told_apart(tmp_path):
    accuracy = {"trunk": [0.95, 0.97], "reinit": [0.96, 0.96]}
    rows = [
        network("anchor", r, r, branch, level, accuracy[branch][r] if level else 0.96)
        for r in (0, 1)
        for branch, level in (("trunk", 0), ("trunk", 1), ("reinit", 1))
    ]
    said = words(write_study(tmp_path, rows))
    assert said.count("cannot be told apart with these replicates") == 2
    assert "more accurate here" not in said


def test_incomplete_is_marked_in_the_page_and_on_every_figure(tmp_path):
    write_study(tmp_path, **FULL | {"planned": {"anchor": 3, "search": 12}})
    assert "Incomplete: 11 of 15 trials" in words(tmp_path)
    drawn = list((tmp_path / "figures").glob("*.svg"))
    assert {path.stem for path in drawn} == FIGURES
    assert all("INCOMPLETE: 11 OF 15 TRIALS" in path.read_text() for path in drawn)


def test_complete_study_has_no_mark(full):
    assert "incomplete" not in (full / "report.html").read_text().lower()


def test_what_a_study_says_of_itself_is_escaped(tmp_path):
    evil = "<script>alert('$x$')</script>"
    trials = [trial(0), trial(1), trial(2, state="failed", objective=None, error=evil, label=evil)]
    search = search_trials(3)
    search[0]["hparams"] = {**search[0]["hparams"], "prune.scope": evil}
    page = text(
        write_study(
            tmp_path, trials=trials + search, name=evil, question=evil, command=f"python {evil}"
        )
    )
    ours = 1 + sum(len(files) for files in SCRIPTS.values())  # Data, and the scripts.
    assert page.count("<script") == page.count("</script") == ours
    assert page.count("&lt;script&gt;") > 5


class Loads(HTMLParser):
    """Collects the addresses that a browser would fetch, and every id."""

    def __init__(self):
        super().__init__()
        self.fetched, self.ids = [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        assert tag not in {"link", "img", "iframe", "object", "embed", "base"}
        assert not any(name.startswith("on") for name in values)
        if tag != "a":
            self.fetched += [values[n] for n in ("src", "href", "xlink:href") if n in values]
        self.ids += [values["id"]] if "id" in values else []


def test_page_loads_nothing_and_its_ids_are_unique(full):
    page = (full / "report.html").read_text()
    parser = Loads()
    parser.feed(page)
    assert parser.fetched
    assert all(address.startswith("#") for address in parser.fetched)
    assert {address[1:] for address in parser.fetched} <= set(parser.ids)
    assert len(parser.ids) == len(set(parser.ids))
    assert "default-src 'none'" in page
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert f"script-src {allowed};" in page
    # The plotting library names addresses in its own text, which the policy keeps it from loading.
    page = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_two_writes_give_equal_bytes(full, tmp_path):
    first, second = full, write_study(tmp_path / "s", **FULL)
    report.write(second)
    for one in sorted([first / "report.html", *(first / "figures").iterdir()]):
        assert one.read_bytes() == (second / one.relative_to(first)).read_bytes()


def only(branches, **changes):
    return [row | changes for row in anchor_rows(branches=branches)]


@pytest.mark.parametrize(
    ("rows", "trials", "expected"),
    [
        ([], [], "Nothing has finished yet"),
        ([], [trial(0, state="failed", objective=None, error="oom")], "Nothing has finished yet"),
        ([network("search", 3, 0, "trunk", 1, 0.9)], search_trials(2), "No anchor trial has"),
        (anchor_rows(levels=0), [trial(0)], "Only dense networks are trained"),
        (anchor_rows(replicates=1), [trial(0)], "One replicate has no interval"),
        (only(["trunk"]), [trial(0)], "There is no reinitialised control"),
        (only(["trunk", "reinit"], diverged=True), [trial(0)], "Networks that diverged"),
        (only(["trunk"], test_accuracy=None), [trial(0)], "no replicate"),
        (only(["random"]), [trial(0)], "ticket"),
    ],
)
def test_degraded_studies_have_their_report(tmp_path, rows, trials, expected):
    assert expected in words(write_study(tmp_path, rows, trials))


@pytest.mark.parametrize(
    "changes",
    [
        {"space": {}},
        {"space": {"prune.scope": SPACE["prune.scope"]}},
        {"space": {"train.warmup_steps": {"kind": "int", "low": 0, "high": 9, "log": False}}},
        {"space": {"train.lr": {"kind": "categorical", "choices": [0.1, 0.01]}}},
        {"space": {"train.lr": SPACE["train.lr"]}},
        {"dataset": {}, "code": {}, "lottery": {}, "objective": {}},
    ],
)
def test_any_space_has_its_report(tmp_path, changes):
    assert "How this was made" in words(write_study(tmp_path, **FULL, **changes))


@pytest.mark.usefixtures("undrawn")
def test_replicates_that_ended_by_divergence_are_said_to_be_missing(tmp_path):
    said = words(write_study(tmp_path, ended_rows()))
    # Two levels have three differences each; the third replicate has none there.
    assert said.count("n = 2, 1 ended by divergence") == 6
    assert said.count("n = 3, 1 diverged") == 3
    assert "1 replicate ended by divergence at a higher density" in said
    assert "is counted there as ended by divergence, and the means are those of the others" in said
    assert "never dropped" not in said


def test_a_study_without_divergence_has_no_ended_replicate(full):
    page = words_of((full / "report.html").read_text())
    table = page.partition("Limits")[0]
    assert "ended by divergence" not in table
    assert "ends its replicate: the means at lower densities are without it" in page


@pytest.mark.usefixtures("undrawn")
def test_tickets_that_diverged_before_any_pruning_are_said_to_be_lost(tmp_path):
    rows = [row | {"diverged": row["replicate"] < 2} for row in anchor_rows(levels=0)]
    said = words(write_study(tmp_path, rows))
    assert "2 replicates ended by divergence and will have none" in said


def test_anchor_is_called_the_base_configuration(full):
    page = (full / "report.html").read_text()
    assert "The base configuration stands there once for each anchor replicate" in page
    assert "base configuration (n = 3)" in page
    assert "paper's setting" not in html.unescape(page)


@pytest.mark.usefixtures("undrawn")
def test_later_runs_stand_below_the_first_command(tmp_path):
    first = run(command="python studies/sample.py")
    later = run(
        command="python studies/sample.py --trials 9",
        started="2026-11-24T09:00:00+00:00",
        packages={"torch": "<2.14>"},
    )
    said = words(write_study(tmp_path, runs=[first, later, run(started="last")]))
    assert "How this was made python studies/sample.py 2 later runs continued the study" in said
    assert (
        "2026-11-24T09:00:00+00:00: python studies/sample.py --trials 9 "
        "packages.torch: 2.13.0 → <2.14>" in said
    )
    assert "last: python studies/s.py nothing different" in said


@pytest.mark.parametrize("info", [{}, {"runs": [run()]}])
@pytest.mark.usefixtures("undrawn")
def test_a_study_of_one_run_lists_no_others(tmp_path, info):
    said = words(write_study(tmp_path, **info))
    assert "python studies/sample.py" in said
    assert "later run" not in said


@pytest.mark.usefixtures("undrawn")
def test_mixed_numerics_are_a_limit(tmp_path, full):
    rows = [row | {"numerics": f"torch/{row['replicate'] % 2}"} for row in anchor_rows()]
    said = words(write_study(tmp_path, rows))
    assert "made by 2 different numerics (torch/0; torch/1)" in said
    assert "different numerics" not in (full / "report.html").read_text()


@pytest.mark.usefixtures("undrawn")
def test_failed_trials_are_listed_with_their_error(tmp_path):
    failed = trial(3, "search", None, state="failed", error="out of memory")
    said = words(write_study(tmp_path, trials=[trial(0), failed]))
    assert "out of memory" in said
    assert "No trial of the search has an objective yet." in said


@pytest.mark.usefixtures("undrawn")
def test_command_prints_the_page(tmp_path, capsys):
    assert command(["report", str(write_study(tmp_path))]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'report.html'}\n"


@pytest.mark.slow
def test_command_on_no_study_is_one_line_and_an_exit_code(tmp_path):
    words = [sys.executable, "-m", "analysis.report", str(tmp_path)]
    root = Path(report.__file__).parents[2]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (74, "")
    # On a busy machine the time after which a command says what it does may pass.
    told = [line for line in done.stderr.splitlines() if not line.startswith("lttune report: ")]
    assert told == [f"lttune: error: {tmp_path} is no study: it has no study.json"]


def test_command_on_a_file_is_told_that_it_is_no_study(tmp_path, capsys):
    file = write_study(tmp_path) / "study.json"
    assert command(["report", str(file)]) == 74
    assert capsys.readouterr().err == f"lttune: error: {file} is no study: it has no study.json\n"


def test_names_without_end_are_cut_in_figures_alone(tmp_path):
    endless = "x" * 1_000_000
    dataset = {"name": endless, "digest": "abc123", "train": 1200}
    folder = write_study(tmp_path / "s", **FULL, name=endless, scale=endless, dataset=dataset)
    assert command(["report", str(folder)]) == 0
    sizes = [path.stat().st_size for path in (folder / "figures").glob("*.svg")]
    assert max(sizes) < 400_000
    assert len(sizes) == len(FIGURES)

"""The commands export, masks and transfer, as a user gives them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import stored_study
import torch
import tyro

from lttune.__main__ import commands, main
from lttune.data.files import npz
from lttune.errors import ResourceError
from lttune.exchange.overlap import overlap_lines
from lttune.exchange.tensors import masks_in, read
from lttune.exchange.tickets import Place, find_network
from lttune.models import masks
from lttune.records import schema


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "results"
    return stored_study.make(out, trials=({}, {"train.lr": 0.003}), replicates=(0, 1))


@pytest.fixture
def run(study, cwd, capsys, monkeypatch):
    """Runs a command beside the study; returns its exit code and what was printed."""
    monkeypatch.chdir(study.parent.parent)

    def command(text):
        try:
            code = main(text.replace("OUT", str(cwd)).split())
        except SystemExit as end:
            code = end.code
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return command


def test_export_writes_the_ticket_and_its_mask(run, study, cwd):
    code, text = run(
        "export results/digits --trial 1 --replicate 1 --level 2 --out OUT/t.safetensors"
    )
    found = find_network(Place(study=study, trial=1, replicate=1, level=2))
    assert code == 0
    assert f"test accuracy {found.row['end_test_accuracy']:.4f}" in text
    tensors = read(cwd / "t.safetensors").tensors
    weights, _ = found.weights("trained")
    assert tensors.keys() == weights.keys()
    assert all(torch.equal(tensors[name], value) for name, value in weights.items())
    mask = masks_in(read(cwd / "t.mask.safetensors")).of(found.network)
    assert all(torch.equal(mask[name], keep) for name, keep in found.mask.items())


def test_export_writes_the_start_for_torch_prune(run, study, cwd):
    code, _ = run(
        "export results/digits --level 1 --form torch-prune --weights start --out OUT/t.safetensors"
    )
    assert code == 0
    assert [path.name for path in cwd.iterdir()] == ["t.safetensors"]
    tensors, found = read(cwd / "t.safetensors").tensors, find_network(Place(study=study, level=1))
    for name, value in found.weights("start")[0].items():
        masked = name in found.mask
        assert torch.equal(tensors[f"{name}_orig" if masked else name], value)
        assert f"{name}_mask" in tensors or not masked


@pytest.mark.parametrize("taken", ["t.safetensors", "t.mask.safetensors"])
def test_export_leaves_what_is_there(run, cwd, taken):
    (cwd / taken).write_text("mine")
    code, text = run("export results/digits --level 1 --out OUT/t.safetensors")
    assert code == 74
    expected = f"{cwd / taken} is there already: move it away, or give another --out"
    assert text == f"lttune: error: {expected}\n"
    assert [(path.name, path.read_text()) for path in cwd.iterdir()] == [(taken, "mine")]


def test_masks_compares_tickets_and_files(run, cwd):
    run("export results/digits --level 2 --out OUT/t.safetensors")
    code, text = run("masks OUT/t.mask.safetensors results/digits:0/1/2 results/digits:0/0/2")
    assert code == 0
    overall = [line.split() for line in text.splitlines() if line.startswith("all")]
    assert len(overall) == 3
    assert [line[-2] == "1.0000" for line in overall] == [False, True, False]


@pytest.mark.parametrize("word", ["union", "intersection"])
def test_masks_combines(run, study, cwd, word):
    code, _ = run(
        f"masks results/digits:0/0/2 results/digits:0/1/2 --combine {word} --out OUT/u.safetensors"
    )
    assert code == 0
    one, other = (find_network(Place(study=study, replicate=r, level=2)) for r in (0, 1))
    joined = masks_in(read(cwd / "u.safetensors")).of(one.network)
    for name, keep in joined.items():
        a, b = one.mask[name], other.mask[name]
        assert torch.equal(keep, a | b if word == "union" else a & b)


def test_the_table_of_masks_counts_and_expects():
    one = {"a.weight": torch.tensor([1, 1, 0, 0]).bool(), "b.weight": torch.ones(6).bool()}
    other = {
        "a.weight": torch.tensor([1, 0, 1, 0]).bool(),
        "b.weight": torch.tensor([1, 1, 1, 0, 0, 0]).bool(),
    }
    head, *lines = [line.split() for line in overlap_lines(one, other)]
    assert head == ["layer", "weights", "A", "B", "common", "chance", "jaccard", "chance"]
    # In a, 1 of 4 in both and 3 in either; by chance 1/4 and 3/4. In all 4 of 10, and 9 in either.
    assert lines == [
        ["a", "4", "0.5000", "0.5000", "0.2500", "0.2500", "0.3333", "0.3333"],
        ["b", "6", "1.0000", "0.5000", "0.5000", "0.5000", "0.5000", "0.5000"],
        ["all", "10", "0.8000", "0.5000", "0.4000", "0.4000", "0.4444", "0.4444"],
    ]


def test_chance_is_what_independent_masks_have():
    generator = torch.Generator().manual_seed(0)
    one, other = (
        {
            "a.weight": torch.rand(200_000, generator=generator) < p,
            "b.weight": torch.rand(100_000, generator=generator) < q,
        }
        for p, q in ((0.1, 0.8), (0.4, 0.3))
    )
    for line in overlap_lines(one, other)[1:]:
        common, chance, jaccard, by_chance = map(float, line.split()[-4:])
        assert common == pytest.approx(chance, abs=0.004)
        assert jaccard == pytest.approx(by_chance, abs=0.006)
    assert masks.density(masks.intersection(one, other)) != pytest.approx(
        masks.density(one) * masks.density(other), abs=0.01
    )


def test_transfer_prints_and_writes_a_table_and_trains_once(run, study):
    flags = "transfer results/digits --levels 1 2 --optimizer sgd --lr 0.1 --replicates 2"
    code, text = run(flags)
    assert code == 0
    assert "14 networks, 14 trained now, 0 from the store" in text
    assert [line.split()[0] for line in text.splitlines() if "+-" in line] == ["1", "2"]
    rows = schema.read(study / "transfer.parquet")
    assert len(rows) == 14
    assert {row["train.optimizer"] for row in rows} == {"sgd"}
    assert {(row["study"], row["phase"], row["trial"]) for row in rows} == {
        ("digits", "transfer", 0)
    }
    _, text = run(f"{flags} --out OUT/again.parquet")
    assert "14 networks, 0 trained now, 14 from the store" in text


def test_a_table_of_transfer_that_cannot_be_written_is_one_line(run, cwd):
    (cwd / "a").write_text("kept")
    code, text = run("transfer results/digits --replicates 1 --out OUT/a/t.parquet")
    assert code == 74
    complaint = f"lttune: error: {cwd / 'a/t.parquet'} cannot be written: File exists\n"
    assert text.endswith(complaint)


def test_transfer_names_the_engine_that_it_was_given(run, monkeypatch):
    def make(*_):
        raise ResourceError("no further")

    engines = "lttune.training.engines"
    monkeypatch.setattr(f"{engines}.choose", lambda *_: ("stacked", "for a reason"))
    monkeypatch.setattr(f"{engines}.make", make)
    code, text = run("transfer results/digits")
    assert code == 5
    assert text.startswith("trained by the stacked engine: for a reason\n")


def test_transfer_takes_a_mask_from_a_file(run, study, cwd):
    mask = find_network(Place(study=study, replicate=1, level=1)).mask
    names = ("fc_layers.0.weight", "fc_layers.1.weight", "fc.weight")
    theirs = {n: keep.int() for n, keep in zip(names, mask.values(), strict=True)}
    torch.save(theirs, cwd / "mask.pth")
    code, _ = run("transfer results/digits --mask OUT/mask.pth --replicates 1 --out OUT/t.parquet")
    assert code == 0
    rows = schema.read(cwd / "t.parquet")
    assert [(row["branch"], row["level"]) for row in rows] == [
        ("transfer", 0),
        ("transfer", 1),
        ("transfer_random", 1),
        ("transfer_reinit", 1),
    ]
    assert {row["density"] for row in rows} == {1.0, masks.density(mask)}
    assert {row["source_mask"] for row in rows} == {str(cwd / "mask.pth")}


def test_transfer_takes_the_deepest_ticket_to_another_dataset(run, cwd):
    data = stored_study.load("digits")
    arrays = {name: getattr(data, name)[:500] for name in npz.ARRAYS}
    npz.write_sealed(cwd / "few.npz", arrays)
    code, text = run("transfer results/digits --data OUT/few.npz --out OUT/t.parquet --steps 20")
    assert code == 0, text
    rows = schema.read(cwd / "t.parquet")
    assert {row["level"] for row in rows} == {0, 2}
    assert {row["data.name"] for row in rows} == {str(cwd / "few.npz")}


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("export results/digits --level 7", 2, "level must be one of 0, 1, 2; got"),
        ("export results/digits --level 1 --trial 9", 2, "trial must be one of 0, 1; got"),
        ("export results/digits --level 1 --out x.pt", 2, "--out must be a .safetensors file"),
        ("export results/digits", 2, "what is exported must be given by one of --level, --optuna"),
        ("export results/digits --level 1 --csv", 2, "--curves, got ['--level', '--csv']"),
        (
            "export --optuna results/digits --form torch-prune --trial 1",
            2,
            "--optuna must be given without flags of one ticket, got ['form', 'trial']",
        ),
        ("masks results/digits:0/0/1", 2, "TICKETS must be at least two"),
        ("masks results/digits:0/0/1 nowhere", 2, "a ticket must be a file or results/NAME:"),
        (
            "masks results/digits:0/0/1 results/digits:0/0/2 --combine union",
            2,
            "--combine and --out must be given together",
        ),
        (
            "transfer results/digits --levels 5",
            2,
            "--levels must be from 1 to 2, the last that was trained, got (5,)",
        ),
        ("transfer results/digits --levels 0", 2, "--levels must be from 1 to 2"),
        ("transfer results/digits --replicates 0", 2, "--replicates must be a whole number >= 1"),
        ("transfer results/digits --start x.pt", 2, "--start must be given with --mask"),
        ("transfer results/digits --mask x.pt", 74, "cannot read x.pt: No such file"),
        ("transfer results/digits --mask x.pt --levels 1", 2, "--levels must be left out"),
        ("transfer results/digits --lr -1", 2, "--lr must be a finite number > 0"),
        ("transfer results/digits --data digit-scenes", 2, "target.data must have pictures of"),
        ("transfer results/digits --steps 0", 2, "--steps must be a whole number >= 1"),
        (
            "transfer results/digits --out results/digits/records.parquet",
            2,
            "--out must be none of a study's own files, got 'results/digits/records.parquet'",
        ),
        (
            "claims check results/digits --out results/digits/trials.json",
            2,
            "--out must be none of a study's own files, got 'results/digits/trials.json'",
        ),
    ],
)
def test_what_cannot_be_is_one_message(run, command, code, message):
    found, text = run(command)
    assert found == code
    assert message in text
    assert text.startswith("lttune: error: ")
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "export N --level 1",
        "export --optuna N",
        "sync N",
        "doctor N",
        "doctor N --repair",
        "masks N:0/0/1 results/digits:0/0/1",
        "transfer N",
        "importance N",
        "report N",
        "claims check N",
    ],
)
def test_no_study_there_is_one_line_and_code_for_every_command(run, command):
    expected = "lttune: error: results/nothing is no study: it has no study.json\n"
    assert run(command.replace("N", "results/nothing")) == (74, expected)


def test_a_study_that_is_given_by_its_name_alone_is_told_its_folder(run):
    expected = (
        "lttune: error: digits is no study: it has no study.json; did you mean results/digits?\n"
    )
    assert run("report digits") == (74, expected)


@pytest.mark.parametrize("flags", ["", " --trial 1 --form torch-prune"])
def test_no_study_there_comes_before_the_question_what_of_it(run, flags):
    expected = "lttune: error: results/nothing is no study: it has no study.json\n"
    assert run(f"export results/nothing{flags}") == (74, expected)


DOCS = Path(__file__).parents[2] / "docs" / "exchange.md"


@pytest.mark.parametrize("command", re.findall(r"^lttune (.+)$", DOCS.read_text(), re.M))
def test_commands_of_the_page_are_understood(command):
    name, *flags = command.split()
    module = importlib.import_module(commands()[name])
    assert isinstance(tyro.cli(module.Flags, args=flags), module.Flags)

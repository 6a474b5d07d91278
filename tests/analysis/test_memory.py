"""What the files of a study say takes memory that follows their bytes, whatever they say."""

from __future__ import annotations

import pytest
from bounded import bounded
from sample_study import run, trial, write_study

from analysis import load
from analysis.report.runs import later_runs
from lttune.__main__ import main
from lttune.errors import StorageError
from lttune.exchange.health.study import study_findings
from lttune.exchange.studies import Folder
from lttune.records import schema

MANY = 1_200
"""Of trials and of settings: a table of both is far larger than a list of each."""
NAMES = [f"x.h{number}" for number in range(MANY)]
FILLS = "settings would fill more than 64 MB of memory"


def each_another(folder, count):
    """Writes a study each of whose trials varies another setting."""
    return write_study(
        folder,
        trials=[trial(n, hparams={NAMES[n]: 1}, controls=[]) for n in range(count)],
    )


@pytest.mark.parametrize("read", [load, Folder.read, study_findings])
def test_trials_that_each_vary_another_setting_are_one_line(tmp_path, capsys, read):
    folder = each_another(tmp_path / "sample", MANY)
    line = f"{folder}/trials.json: a table of its 1,200 trials and their 1,200 {FILLS}"
    if read is study_findings:
        assert line in [one.trouble for one in read(folder)]
        return
    with bounded(40 << 20), pytest.raises(StorageError) as error:
        read(folder)
    assert str(error.value) == line
    assert main(["watch", str(folder)]) == 74
    assert capsys.readouterr().err == f"lttune: error: {line}\n"


def test_a_table_of_settings_takes_a_cell_for_each_of_them(tmp_path):
    frame = load(each_another(tmp_path / "sample", 900))
    with bounded(28 << 20):
        table = frame.hparams
    assert table.shape == (900, 900)
    assert table.notna().sum().eq(1).all()


@pytest.mark.parametrize(
    "said",
    [
        {"lottery": {"train": {"steps": 9}, "data": {}, **dict.fromkeys(NAMES, 1)}},
        {"space": {name: {"choices": [1]} for name in NAMES}},
        {"factors": [{"path": name} for name in NAMES]},
    ],
    ids=lambda said: next(iter(said)),
)
def test_settings_that_every_trial_has_count_too(tmp_path, said):
    trials = [trial(number, hparams={}, controls=[]) for number in range(MANY)]
    folder = write_study(tmp_path / "sample", trials=trials, **said)
    for read in (load, Folder.read):
        with bounded(40 << 20), pytest.raises(StorageError, match=FILLS):
            read(folder)


def test_runs_are_compared_by_as_many_fields_as_they_have(tmp_path):
    first = run(packages=dict.fromkeys(NAMES, "1"))
    folder = write_study(tmp_path / "sample", runs=[first, *[run(packages={})] * MANY])
    with (
        bounded(40 << 20),
        pytest.raises(StorageError, match="1,201 runs and their 1,203 fields would fill more"),
    ):
        later_runs(load(folder))


def test_layers_of_as_many_names_as_rows_have_no_column_each(tmp_path):
    folder = write_study(tmp_path / "sample")
    row = dict.fromkeys(schema.LAYERS) | {"study": "s", "phase": "anchor", "kind": "fc", "size": 1}
    row |= {"trial": 0, "replicate": 0, "level": 0, "surviving": 1}
    layers = [{**row, "layer": f"l{number}"} for number in range(9_000)]
    schema.write(folder / "layers.parquet", layers, schema.LAYERS)
    with pytest.raises(StorageError, match="says of 9,000 layers would fill more than 64 MB"):
        load(folder)
    schema.write(folder / "layers.parquet", layers[:100], schema.LAYERS)
    assert len(load(folder).layers) == 100


def test_short_rows_under_many_columns_are_one_line(tmp_path, capsys):
    folder = write_study(tmp_path / "sample")
    (folder / "figures").mkdir()
    path = folder / "figures" / "importance.csv"
    path.write_text(",".join(f"c{number}" for number in range(3_000)) + 3_000 * "\n1")
    with bounded(), pytest.raises(ValueError, match="would fill"):
        load(folder).read_own(path, "report")
    assert main(["claims", "check", str(folder)]) == 74
    told = f"{path} cannot be read: its rows would fill more than 64 MB of memory"
    assert capsys.readouterr().err == f"lttune: error: {told}\n"


def test_a_setting_with_ten_thousand_ends_is_one_line(tmp_path, capsys):
    """What people tell it by would be sought among all of them."""
    trials = [trial(0), trial(1, hparams={10_000 * "a." + "a": 1})]
    folder = write_study(tmp_path / "sample", trials=trials)
    assert main(["report", str(folder)]) == 74
    told = capsys.readouterr().err
    rule = "a hyperparameter must have a name of at most 1,000 characters, got 'a.a.a"
    assert told.startswith(f"lttune: error: {folder}/trials.json: trials[1]: {rule}")
    assert told.count("\n") == 1
    assert len(told) < 1_000

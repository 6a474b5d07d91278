"""docs/notebook.md: its cells run one after the other, and `import lttune` loads nothing large."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from digits_place import empty_database
from one_process import one_process

from lttune.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "notebook.md").read_text()
CELLS = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
LARGE = ("torch", "ray", "mlflow", "optuna", "tyro", "numpy", "pandas", "numba", "pyarrow")


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """What the page's cells leave, run in a folder of their own."""
    home = tmp_path_factory.mktemp("home")
    (home / "mlflow.db").write_bytes(empty_database())
    made = {"__name__": "__main__", "home": home}
    with contextlib.chdir(home), one_process():
        for cell in CELLS:
            exec(compile(cell, "cell", "exec"), made)
    return made


@pytest.mark.slow
def test_the_ten_lines_give_every_level_with_its_controls(cells):
    assert len(CELLS[0].strip().splitlines()) <= 10
    table = cells["table"]
    assert isinstance(table, pd.DataFrame)
    assert sorted(table["level"]) == [0] + [level for level in range(1, 6) for _ in range(3)]
    assert str(cells["level"]).startswith("level 5, density 3")
    assert table["test_accuracy"].max() > 0.9


@pytest.mark.slow
def test_the_other_cells_give_what_the_page_says(cells):
    assert 0 < int(cells["mine"].levels[-1].mask["0.weight"].sum()) < 8 * 9
    seen = cells["seen"].evaluations()
    assert seen["margin"].notna().all()
    assert list(seen["step"]) == 2 * list(range(0, 201, 20))
    assert cells["done"].complete
    assert len(cells["records"]) == 2 * (1 + 12 * 3)
    assert (cells["home"] / cells["done"].report).exists()


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "loaded"),
    [
        ("import lttune", []),
        ("from lttune import LotteryConfig", []),
        ("from lttune import trajectory", []),
        ("from lttune import Study, StudyConfig, run, FinishedStudy", ["tyro"]),
    ],
)
def test_what_is_named_is_loaded_and_no_more(code, loaded):
    # Some packages are imported by tyro where they are installed.
    names = [name for name in LARGE if name not in ("numpy", "pandas") or not loaded]
    found = run_python(f"{code}\nimport sys\nprint([n for n in {names} if n in sys.modules])")
    assert found == str(loaded)


@pytest.mark.slow
def test_a_trajectory_needs_no_orchestration():
    code = """
from lttune import LotteryConfig, trajectory
import sys
config = LotteryConfig(levels=1).override({"data.name": "digits", "model.name": "lenet-8",
    "train.steps": 4, "train.eval_every": 2})
found = trajectory(config, controls=("reinit",), engine="torch")
print(len(found.frame()), [n for n in ("ray", "mlflow", "optuna", "tyro") if n in sys.modules])
"""
    assert run_python(code) == "3 []"


def test_the_package_and_the_call_are_one_name():
    import lttune
    import lttune.trajectory.lab

    assert lttune.trajectory is sys.modules["lttune.trajectory"]
    assert lttune.trajectory.lab.Lab.__name__ == "Lab"
    with pytest.raises(ConfigError, match=r"^config must be a LotteryConfig, got 3$"):
        lttune.trajectory(3)
    with pytest.raises(AttributeError, match="has no attribute 'trajectories'"):
        _ = lttune.trajectories
    assert set(lttune.__all__) <= set(dir(lttune))


def test_each_name_of_the_package_is_what_a_type_checker_takes_it_for():
    import inspect

    import lttune
    from lttune import config, study
    from lttune.trajectory import notebook

    for name in lttune.__all__:
        home = config if name == "LotteryConfig" else study
        if name != "trajectory":
            assert getattr(lttune, name) is getattr(home, name)
    mine, typed = inspect.signature(lttune.trajectory), inspect.signature(notebook.trajectory)
    assert mine == typed

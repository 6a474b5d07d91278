"""Who nearly gives the right name, of a flag or in a study file, is told which that is."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "meant"), [("learning-rate", "lr"), ("epoch", "epochs"), ("batch", "batch-size")]
)
def test_what_people_call_a_flag_is_answered_with_its_name(refused, typed, meant):
    code, text = refused(f"--lottery.train.{typed}", "3")
    assert code == 2
    assert f"--lottery.train.{typed}, 3; did you mean --lottery.train.{meant}?" in text


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("--learning-rate 0.1", "--lottery.train.lr"),
        ("--learning_rate=0.1", "--lottery.train.lr"),
        ("--lr 0.1", "--lottery.train.lr"),
        ("--batch-size 32", "--lottery.train.batch-size"),
        ("--train.lr 0.1", "--lottery.train.lr"),
        ("--model resnet18", "--lottery.model.name"),
        ("--lottery.target.batch 32", "--lottery.target.batch-size"),
        ("--plna", "--plan"),
        ("--lr 0.1 --trails 3", "--lottery.train.lr, --trials"),
    ],
)
def test_a_flag_without_its_group_is_that_of_the_training(refused, typed, meant):
    code, text = refused(*typed.split())
    assert code == 2
    assert f"; did you mean {meant}?" in text


SCRIPT = """\
from lttune.config import LotteryConfig
from lttune.study import StudyConfig

def made(**more):
    return LotteryConfig().override({{"train.lr": 0.1}} | more)

{line}
"""


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (
            'StudyConfig(name="x", phases=("desing",))',
            2,
            "lttune: error: mine.py:7: phases must be one of anchor, confirm, design, random, "
            "search, sweep, tune; got 'desing'; did you mean 'design'?\n",
        ),
        ('made(**{"train.batch_size": 0})', 2, "mine.py:5: train.batch_size must be a whole "),
        (
            'import dataclasses; dataclasses.replace(StudyConfig(name="x"), trials=0)',
            2,
            "mine.py:7: trials must be ",
        ),
        ("LotteryConfig(level=3)", 2, "; got 'level'; did you mean 'levels'?\n"),
        (
            "LotteryConfig(level=3)",
            2,
            "error: mine.py:7: a keyword of LotteryConfig must be one of ",
        ),
        (
            'import dataclasses; dataclasses.replace(StudyConfig(name="x"), trails=3)',
            2,
            "mine.py:7: a keyword of StudyConfig must be one of ",
        ),
        ("StudyConfig()", 2, "lttune: error: mine.py:7: StudyConfig must be given name\n"),
        (
            "from lttune.config.design import LogUniform\nLogUniform(1e-4, 1e-2)",
            2,
            "mine.py:8: LogUniform must be given its values by keywords: low, high\n",
        ),
        ("import lttune.data as d\nd.load('digits', foldr=1)", 2, "mine.py:8: a keyword of load "),
        (
            "from optuna.distributions import FloatDistribution\n"
            "from lttune.config.design import Factor\n"
            'Factor(path="train.lr", distribution=FloatDistribution(0.1, 0.2))',
            2,
            "mine.py:9: distribution of the factor train.lr must be one of Uniform, LogUniform, ",
        ),
        ("from torch import nn\nnn.Dropout(prob=0.5)", 1, "Traceback"),
        ("from torch.nn import Linear as StudyConfig\nStudyConfig(nam=1)", 1, "Traceback"),
        ("int('x')", 1, "Traceback"),
        ("made(0)", 1, "Traceback"),
        ("def StudyConfig(name): 0\n\nStudyConfig(nam=1)", 1, "Traceback"),
        ("from lttune.config import TrainConfig as Mine\nMine.lr(rate=1)", 1, "Traceback"),
    ],
)
def test_a_mistake_in_a_study_file_is_a_line_with_its_place(tmp_path, line, code, said):
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT.format(line=line))
    ended = subprocess.run([sys.executable, file], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert said in ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1 or code == 1


WRONG = 'StudyConfig(name="x", phases=("desing",))'


def test_who_sits_at_a_prompt_stays_there(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(SCRIPT.format(line=WRONG))
    ended = subprocess.run(
        [sys.executable, "-i", file], input="print(6 * 7)\n", capture_output=True, text=True
    )
    assert ended.stdout == "42\n"
    assert "Traceback" in ended.stderr
    assert "phases must be one of" in ended.stderr


def test_a_hook_of_the_programs_own_is_called(tmp_path):
    file = tmp_path / "mine.py"
    own = "import sys; sys.excepthook = lambda *about: print('mine', about[0].__name__)\n"
    file.write_text(own + SCRIPT.format(line=WRONG))
    ended = subprocess.run([sys.executable, file], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "mine ConfigError\n")

"""Errors in code of one's own: the line of its own file is told, whatever the part is."""

import pytest
from own_networks import FLAT, OUT, module_of
from own_parts import code_of, known

from lttune.errors import ConfigError
from lttune.models.own import NETWORK
from lttune.pruning.criteria.own import CRITERION
from lttune.records.own import OBJECTIVE, known_part, own_function, use_named
from lttune.study.workers.cause import cause_of
from lttune.training.schedule import SCHEDULE
from lttune.trajectory.branches.own import CONTROL_SETTING
from lttune.trajectory.measurements.own import MEASURE

CALLED = """
import torch

def part(*arguments):
    return inner(*arguments)

def inner(*arguments):
    return torch.zeros(2, 3) @ torch.zeros(2, 3)
"""


@pytest.mark.parametrize("field", [CRITERION, SCHEDULE, OBJECTIVE, CONTROL_SETTING, MEASURE])
def test_the_last_line_of_ones_own_file_is_told(field, tmp_path):
    part = known_part(field, known(tmp_path, field, CALLED))
    with pytest.raises(ConfigError, match=r"cannot be used: RuntimeError: .* \(own\.py, line 8\)$"):
        part.called(1, 2)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("x = 1\n1 / 0", r"ZeroDivisionError: division by zero \(own\.py, line 2\)"),
        ("x = 1\ndef part(:", r"SyntaxError: invalid syntax \(own\.py, line 2\)"),
        ("x = 1\nreturn 3", r"SyntaxError: 'return' outside function \(own\.py, line 2\)"),
        ("import json\njson.loads('')", r"JSONDecodeError: .* \(own\.py, line 2\)"),
        ("raise SystemExit(3)", r"SystemExit: 3 \(own\.py, line 1\)"),
    ],
)
def test_what_cannot_be_imported_tells_its_line(source, told, tmp_path):
    with pytest.raises(ConfigError, match=f"part cannot be imported: {told}$"):
        own_function(code_of(tmp_path, SCHEDULE, source))


@pytest.mark.parametrize(
    ("body", "forward", "told"),
    [
        (OUT, "return self.out(x)", r"cannot be trained: RuntimeError: .* \(net\.py, line \d+\)"),
        ("self.out = nn.Linr(3)", FLAT, r"cannot be made for .* \(net\.py, line \d+\)"),
        (
            "raise SystemExit(3)",
            FLAT,
            r"cannot be made for .*: SystemExit: 3 \(net\.py, line \d+\)",
        ),
        (OUT, "raise SystemExit(3)", r"cannot be trained: SystemExit: 3 \(net\.py, line \d+\)"),
        (
            f"{OUT}; self.prunable = lambda: 1 / 0",
            FLAT,
            r"does not say what can be pruned: ZeroDivisionError: .* \(net\.py, line \d+\)",
        ),
        (
            OUT,
            f"{FLAT}\n\n    @property\n    def prunable(self):\n        raise ValueError('no')",
            r"does not say what can be pruned: ValueError: no \(net\.py, line \d+\)",
        ),
        (
            OUT,
            f"{FLAT}\n\n    @property\n    def prunable(self):\n        return [self.nope.name]",
            r"does not say what can be pruned: AttributeError: .*'nope' \(net\.py, line \d+\)",
        ),
        (
            OUT,
            f"{FLAT}\n\n    def prunable(self):\n        yield self.nope.weight",
            r"does not say what can be pruned: AttributeError: .*'nope' \(net\.py, line \d+\)",
        ),
        (
            f"{OUT}; self.prunable = [['out']]",
            FLAT,
            r"must name parameters and kinds in `prunable`, got \[\['out'\]\]",
        ),
    ],
)
def test_a_network_tells_its_line(body, forward, told, tmp_path):
    with pytest.raises(ConfigError, match=told):
        module_of(body, forward, tmp_path)


def test_a_function_of_a_package_tells_the_file_of_the_package(tmp_path, monkeypatch):
    (tmp_path / "lines_told").mkdir()
    (tmp_path / "lines_told/__init__.py").write_text("")
    (tmp_path / "lines_told/inner.py").write_text("def given(x):\n    return x / 0\n")
    source = "from lines_told import inner\n\ndef part(*a):\n    return sum(map(inner.given, a))\n"
    (tmp_path / "lines_told/outer.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    use_named(SCHEDULE, "lines_told.outer:part")
    with pytest.raises(ConfigError, match=r"division by zero \(inner\.py, line 2\)$"):
        known_part(SCHEDULE, "lines_told.outer:part").called(1)


def test_a_trial_that_fails_late_tells_the_line_of_its_network(tmp_path):
    code = code_of(tmp_path, NETWORK, CALLED)
    with pytest.raises(RuntimeError) as error:
        own_function(code)()
    assert cause_of(error.value, [code]).endswith(" (own.py, line 8)")
    assert "own.py" not in cause_of(error.value)

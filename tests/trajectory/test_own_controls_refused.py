"""What a control of one's own may give, and what its branch may be called."""

from __future__ import annotations

import pytest
from junctions import MASK, junction
from one_worker import TINY
from own_parts import forget, known, rows

from lttune.config.control import branch_name
from lttune.errors import ConfigError
from lttune.models import masks
from lttune.trajectory.branches.own import CONTROL_SETTING, control_of


def test_one_that_nobody_made_known_is_one_line(tmp_path, monkeypatch):
    forget(monkeypatch)
    with pytest.raises(ConfigError, match="must be made known by lttune"):
        rows(TINY, tmp_path, ("./none.py:part",))
    with pytest.raises(ConfigError, match=r"^control must be one of \./FILE\.py:FUNCTION, "):
        rows(TINY, tmp_path, ("rinit",))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("3", 'must return a mapping with "mask", "start" or both, got 3'),
        ("{}", 'must return a mapping with "mask", "start" or both, got []'),
        ("{'values': at.initial}", 'must return a mapping with "mask", "start" or both, got [\'v'),
        ("{'mask': 3}", 'must give "mask" by the names of tensors, got 3'),
        (
            "{'mask': {}}",
            'must give "mask" for the tensors fc1.weight, fc2.weight, out.weight, got',
        ),
        (
            "{'mask': {n: k.float() for n, k in at.mask.items()}}",
            "must give a bool tensor as the mask of fc1.weight, got one of torch.float32",
        ),
        (
            "{'mask': {n: k[0] for n, k in at.mask.items()}}",
            "must give a mask of the shape of fc1.weight, (20, 64), got (64,)",
        ),
        (
            "{'mask': {n: ~k for n, k in at.mask.items()}}",
            "must leave as many weights as the ticket has, {alive} in all layers together, got ",
        ),
        ("{'start': at.mask}", 'must give "start" for the tensors fc1.weight, fc1.bias, '),
        (
            "{'start': {n: v.t() for n, v in at.initial.items()}}",
            "must start fc1.weight from a tensor of its shape, (20, 64), got (64, 20)",
        ),
        (
            "{'start': dict(at.initial, **{'fc2.bias': 0})}",
            "must start fc2.bias from a tensor of real numbers, got 0",
        ),
        (
            "{'start': {n: 1j * v for n, v in at.initial.items()}}",
            "must start fc1.weight from a tensor of real numbers, got one of torch.complex64",
        ),
        (
            "{'start': {n: v.double() * 1e300 for n, v in at.initial.items()}}",
            "must start from finite numbers, got another one in fc1.weight",
        ),
        (
            "{'start': {n: v.to('meta') for n, v in at.initial.items()}}",
            "must start fc1.weight from a tensor of real numbers, got one without values",
        ),
        (
            "{'mask': {n: k.to_sparse() for n, k in at.mask.items()}}",
            "must give a bool tensor as the mask of fc1.weight, got one of torch.sparse_coo",
        ),
        ("at.nothing", "cannot be used: AttributeError: "),
    ],
)
def test_what_cannot_be_trained_beside_the_ticket_is_one_line(tmp_path, given, told):
    name = known(tmp_path, CONTROL_SETTING, f"def part(at):\n    return {given}")
    with pytest.raises(ConfigError) as error:
        control_of(name)(junction())
    told = told.replace("{alive}", f"{masks.surviving(MASK):,}")
    assert str(error.value).startswith(f"controls: {name} {told}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "branch"),
    [
        ("reinit", "reinit"),
        ("./mine.py:part", "mine.part"),
        ("/a/b c/my-own file.v2.py:part", "my_own_file_v2.part"),
        (r"C:\a\mine.py:part", "mine.part"),
        ("/.py:part", "_.part"),
        ("package.module:part", "package.module.part"),
    ],
)
def test_its_branch_has_a_name_that_records_mlflow_and_places_take(name, branch):
    assert branch_name(name) == branch

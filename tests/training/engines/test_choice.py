"""Which engine trains a study, and what is said where it is not the fast one."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from lttune.config import DataConfig, LotteryConfig, ModelConfig, TrainConfig
from lttune.config.machine import DeviceName, EngineName
from lttune.data import load
from lttune.errors import ConfigError, ResourceError
from lttune.models import build
from lttune.training.engines import Needs, choose, make, sparse, warm
from lttune.training.engines.choice import ENGINES
from lttune.training.engines.plain import PLAIN_RULES
from lttune.training.engines.stacked import GANGS, StackedEngine
from lttune.training.engines.torch import TorchEngine

BASE = LotteryConfig(
    data=DataConfig(name="digits"),
    model=ModelConfig(name="lenet-12"),
    train=TrainConfig(steps=20, eval_every=10),
)
DIGITS = load("digits")
COLOURED = dataclasses.replace(DIGITS, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
LENET = build(BASE.model, (8, 8), 10)
CONV = build(ModelConfig(name="conv-2"), (8, 8), 10)
RESNET = build(ModelConfig(name="resnet-20"), (8, 8), 10)
BOTTLENECKS = build(ModelConfig(name="resnet50"), (8, 8), 10)
DROPOUT = build(ModelConfig(name="lenet-12", dropout=0.5), (8, 8), 10)
PLAIN_REASONS = [
    ({"train.optimizer": "rmsprop"}, "has no rmsprop"),
    ({"train.optimizer": "nesterov"}, "has no nesterov"),
    ({"target.optimizer": "rmsprop"}, "has no rmsprop"),
    ({"train.precision": "bfloat16"}, "computes in float32 only, not in bfloat16"),
    ({"train.precision": "tf32"}, "computes in float32 only, not in tf32"),
    ({"train.frozen": ("bias",)}, "trains every kind of parameter"),
    ({"pruned": "freeze"}, "holds pruned weights at zero only"),
    ({"method": "supermask", "levels": 1}, "learns no supermasks"),
]
CHAINS = (
    "trains fully connected networks only, alone or behind 3 x 3 convolutions and pooling, and "
    "residual networks of basic blocks, without dropout, all layers prunable"
)
MISSING = "raise ModuleNotFoundError(\"No module named 'numba'\", name='numba')"
BROKEN = "raise ImportError('Numba needs NumPy 2.4 or less\\nsee its page')"


def chosen(name="auto", device="cpu", networks=(LENET,), changes=(), datasets=(DIGITS,), **kwargs):
    configs = [BASE, BASE.override(dict(changes))]
    needs = Needs(device=device, networks=networks, configs=configs, datasets=datasets, **kwargs)
    return choose(name, needs)


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Puts another numba first on the path, as a process finds it that has not imported any."""

    def install(code):
        (tmp_path / "numba").mkdir()
        (tmp_path / "numba" / "__init__.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        engine = "lttune.training.engines.sparse"
        kept = {engine, f"{engine}.obstacle"}
        for module in list(sys.modules):
            foreign = module.partition(".")[0] == "numba"
            if foreign or (module.startswith(engine) and module not in kept):
                monkeypatch.delitem(sys.modules, module)

    return install


@pytest.mark.parametrize("rule", PLAIN_RULES)
def test_the_sparse_engine_is_chosen_where_it_can_train(rule):
    changes = {"train.optimizer": rule}
    assert chosen(changes=changes) == chosen("sparse", changes=changes) == ("sparse", "")
    assert chosen("torch", changes=changes) == ("torch", "")
    assert chosen("stacked", changes=changes) == ("stacked", "")


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        *(({"changes": changes}, reason) for changes, reason in PLAIN_REASONS),
        ({"holds": True}, "holds pruned weights at zero only"),
        ({"device": "cuda"}, "computes on the CPU only"),
        ({"networks": [BOTTLENECKS]}, CHAINS),
        ({"networks": [LENET, DROPOUT]}, CHAINS),
        ({"networks": [LENET, LENET.excluding(["out"])]}, CHAINS),
        ({"networks": [CONV, CONV.excluding(["conv"])]}, CHAINS),
        ({"datasets": (DIGITS, COLOURED)}, "scales all pixels alike"),
        ({"networks": [CONV, LENET], "datasets": (COLOURED,)}, "scales all pixels alike"),
    ],
)
def test_what_it_cannot_train_is_the_reference_engines(case, reason):
    assert chosen(**case) == ("torch", f"the sparse engine {reason}")
    assert chosen("torch", **case)[0] == "torch"
    with pytest.raises(ResourceError) as raised:
        chosen("sparse", **case)
    expected = f"engine must be torch here: sparse was asked for, but it {reason}"
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("changes", "reason"), [*PLAIN_REASONS, ({"data.augment": "flip"}, "does not augment pictures")]
)
def test_the_stacked_engine_has_the_same_rules(changes, reason):
    with pytest.raises(ResourceError, match=f"stacked was asked for, but it {reason}"):
        chosen("stacked", changes=changes)
    with pytest.raises(ResourceError, match="pruned weights at zero only"):
        chosen("stacked", holds=True)
    for network in (CONV, DROPOUT):
        with pytest.raises(ResourceError, match="fully connected networks only, without dropout"):
            chosen("stacked", networks=[LENET, network])
    assert chosen("stacked", "cuda") == ("stacked", "")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (MISSING, "numba is not installed"),
        (BROKEN, "numba does not work here (ImportError: Numba needs NumPy 2.4 or less)"),
        ("raise SystemError('')", "numba does not work here (SystemError: )"),
        ("import lacking", "numba does not work here (ModuleNotFoundError: No module named"),
    ],
    ids=["missing", "broken", "silent", "incomplete"],
)
def test_without_a_working_numba_the_reference_engine_trains(code, reason, stub):
    stub(code)
    engine, said = chosen()
    assert engine == "torch"
    assert said.startswith(reason)
    assert "\n" not in said
    with pytest.raises(ResourceError, match="sparse was asked for, but numba"):
        chosen("sparse")
    # What does not need numba neither asks for it nor tells of it.
    assert chosen("torch") == ("torch", "")
    assert chosen("stacked") == ("stacked", "")
    assert chosen(networks=[BOTTLENECKS]) == ("torch", f"the sparse engine {CHAINS}")


@pytest.mark.timeout(240)
def test_a_working_numba_is_no_obstacle():
    pytest.importorskip("numba")
    assert sparse.obstacle() == ""
    assert sparse.obstacle(convolutional=True) == ""
    assert sparse.obstacle(residual=True) == ""
    assert chosen(networks=[RESNET, CONV], datasets=(COLOURED,)) == ("sparse", "")


@pytest.mark.timeout(240)
def test_convolutions_scale_each_channel_in_its_own_way():
    pytest.importorskip("numba")
    assert chosen(networks=[CONV]) == ("sparse", "")
    assert chosen(networks=[CONV], datasets=(COLOURED,)) == ("sparse", "")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("networks", [[LENET], [CONV, LENET], [RESNET]])
def test_pictures_are_augmented_for_every_network_that_it_trains(networks):
    pytest.importorskip("numba")
    assert chosen(changes={"data.augment": "flip-crop"}, networks=networks) == ("sparse", "")


FALLS_BACK = """
name, reason = chosen()
print(make(name, 'cpu').numerics.partition('-')[0], reason)
"""
DOES_WITHOUT = """
made = chosen({0!r}), make({0!r}, 'cpu'), warm({0!r})
print('numba' in sys.modules)
"""
STUBS = {"missing": MISSING, "broken": BROKEN, "empty": ""}
FRESH = """
import os, sys, traceback
from tests.training.engines.test_choice import DOES_WITHOUT, FALLS_BACK, STUBS, chosen
from lttune.training.engines import make, warm

def act(case):
    if case in STUBS:
        sys.path.insert(0, f"{sys.argv[1]}/{case}")
    elif case == "disabled":
        os.environ["NUMBA_DISABLE_JIT"] = "1"
    else:
        return DOES_WITHOUT.format(case)
    return FALLS_BACK

for case in (*STUBS, "disabled", "torch", "stacked"):
    if not (child := os.fork()):
        os.dup2(os.open(f"{sys.argv[1]}/{case}.txt", os.O_CREAT | os.O_WRONLY), 1)
        os.dup2(1, 2)
        try:
            exec(act(case))
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)
"""
"""Does each case as a process does that has imported all but numba; writes what it says."""


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What is said on either stream in fresh processes, which share what they import first."""
    folder = tmp_path_factory.mktemp("said")
    for name, code in STUBS.items():
        (folder / name / "numba").mkdir(parents=True)
        (folder / name / "numba" / "__init__.py").write_text(code)
    done = ran(FRESH, {}, str(folder))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return lambda case: (folder / f"{case}.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("case", [*STUBS, "disabled"])
def test_a_fresh_process_falls_back_with_one_line(case, said):
    """Where numba is no numba, and where it is one that cannot compile."""
    if case == "disabled":
        pytest.importorskip("numba")
    assert said(case).startswith("torch numba ")
    assert said(case).count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "stacked"])
def test_numba_is_not_imported_where_the_sparse_engine_is_not_chosen(name, said):
    assert said(name) == "False\n"


def test_a_kernel_is_compiled_where_nothing_can_be_kept(monkeypatch, caplog):
    caching = pytest.importorskip("numba.core.caching")
    from lttune.training.engines.sparse import engine
    from lttune.training.engines.sparse.instructions.cache import entry, is_kept

    kept = entry(plus_one)
    # numba looks for a folder that it may write: here, none is.
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert caplog.messages == []
    made = entry(plus_one)
    [said] = caplog.messages
    assert said.startswith("sparse engine: every process compiles its kernels anew: cannot cache")
    assert "\n" not in said
    assert made(1) == 2
    assert (is_kept(kept), is_kept(made)) == (True, False)
    # Its numbers are not those of a kernel that was loaded.
    numerics = engine.SparseEngine().numerics
    monkeypatch.setattr(engine.program, "train", made)
    assert engine.SparseEngine().numerics == f"{numerics}/uncached"


def plus_one(number):
    return number + 1


def ran(code, environment, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=os.environ | environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_names_of_the_flags_are_those_of_the_table():
    assert set(get_args(EngineName)) == {"auto", *ENGINES}
    assert set(get_args(DeviceName)) == set(GANGS)


def test_an_unknown_engine_is_none():
    for use in (lambda: chosen("sparce"), lambda: make("sparce", "cpu"), lambda: warm("sparce")):
        with pytest.raises(ConfigError, match=r"engine must be one of .*; did you mean 'sparse'"):
            use()


@pytest.mark.parametrize("name", ["torch", "stacked"])
def test_an_unknown_device_is_none(name):
    with pytest.raises(ConfigError, match="device must be one of cpu, cuda; got 'mps'"):
        make(name, "mps")
    with pytest.raises(ResourceError, match="computes on the CPU only"):
        make("sparse", "cuda")


def test_an_engine_is_made_for_its_device():
    assert isinstance(make("torch", "cpu"), TorchEngine)
    stacked = make("stacked", "cpu")
    assert isinstance(stacked, StackedEngine)
    assert stacked.gang == GANGS["cpu"] < 64 <= GANGS["cuda"]

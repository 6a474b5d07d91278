"""Write a study file of your own, for your pictures and your network, that runs at once."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lttune.config.fields import WRITABLE, is_writable, require
from lttune.config.output.escaped import say
from lttune.config.rules import every_rule
from lttune.errors import ConfigError
from lttune.store.files import write_once


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What the study is called, and what it is about."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """Name of the study: NAME.py is written into this folder. Letters, digits, '_', '-', '.'."""
    data: str = "digits"
    """Pictures: mnist, fashion-mnist, cifar10, cifar100, digits, digit-scenes, or your own: an .npz
    file, a folder of pictures in one folder a class, or ./FILE.py:FUNCTION, whose code is run."""
    model: str = "lenet-300-100"
    """Network: a name that `--lottery.model.name` of a study takes, torchvision:NAME, or your own
    ./FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION, whose code is run."""

    def __post_init__(self) -> None:
        """Raises ``ConfigError`` if a field breaks its rule."""
        with every_rule() as rules:
            for name in ("data", "model"):
                value = getattr(self, name)
                rules.require(is_writable(value), f"--{name}", WRITABLE, value)
            rules.attempt(lambda: _require_name(self.name))
            if not rules.broken:
                rules.attempt(lambda: _require_new(self.name))


def _require_name(name: str) -> None:
    """Raises ``ConfigError`` if the studies of the file cannot be called by a name and a scale."""
    from lttune.study.settings import LONGEST_NAME, STUDY_NAME, StudyConfig

    studies = f"{name}-paper"
    over = len(studies) - LONGEST_NAME
    rule = f"shorter by {over}, as its studies are called NAME-paper and so on"
    require(not len(name) <= LONGEST_NAME < len(studies), "name", rule, name)
    # The file's name may be one that no study has; of what is no name, what was typed is told.
    is_name = STUDY_NAME.fullmatch(name) is not None and ".." not in name
    StudyConfig(name=studies if is_name else name)


def _require_new(name: str) -> None:
    """Raises ``ConfigError`` if a file is there, or Python would take it for another module.

    A script's folder comes first where Python looks for modules: analysis.py would import itself.
    """
    require(not name.endswith(".py"), "NAME", "without .py, which the file gets by itself", name)
    path = Path(f"{name}.py")
    require(not path.exists(), "NAME", "of a file that is not there yet", str(path))
    ok = not name.isidentifier() or importlib.util.find_spec(name) is None
    require(ok, "NAME", "another than that of a module, which the file would hide", name)


def main(flags: Flags) -> int:
    """Writes the file and prints what fits the network, and how to run it.

    Raises:
        LttuneError: if data or network are none, or do not fit together; then nothing is written.
    """
    from lttune.commands.study_file.fitting import fitted_settings
    from lttune.commands.study_file.scales import QUICK_CORES, paper_scale, quick_scale
    from lttune.commands.study_file.text import study_text
    from lttune.study.console.table import clock
    from lttune.study.phases.estimate import AROUND_S

    settings = fitted_settings(flags.data, flags.model)
    quick = quick_scale(settings)
    path = Path(f"{flags.name}.py")
    _write(path, study_text(flags.name, settings, {"quick": quick, "paper": paper_scale(settings)}))
    weights = settings.weights
    say(
        f"wrote {path}: {flags.model} on {flags.data}, {sum(weights.values()):,} of "
        f"{settings.parameters:,} parameters can be pruned, in {len(weights)} layers"
    )
    say(f"varied: {', '.join(factor.path for factor in settings.factors)}")
    about = clock(AROUND_S + quick.seconds / QUICK_CORES)
    say(f"`python {path}` runs it: about {about} on {QUICK_CORES} cores like those here")
    say(f"`python {path} --scale paper --plan` says what the numbers take")
    return 0


def _write(path: Path, text: str) -> None:
    """Writes a file that is not there.

    Raises:
        ConfigError: if it is there by now.
        StorageError: if it cannot be written.
    """
    try:
        with write_once(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except FileExistsError as error:
        raise ConfigError(f"NAME must be of a file that is not there yet, got {path}") from error

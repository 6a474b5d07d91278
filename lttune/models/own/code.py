"""The code of a network of one's own: where it is, what identifies it, how it is run.

A digest stands for the code in a network's identity. That of a file is of its text and of the
versions of the packages that it imports; that of a function of a package is of all sources of the
package and the same versions; that of a network of torchvision is of its version.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

from torch import nn

from lttune.errors import ConfigError, ResourceError, quoted, unknown
from lttune.models.own.imports import imported_versions
from lttune.store.regular import expanded, regular_size

NetworkFunction = Callable[[tuple[int, int, int], int], nn.Module]
"""Shape of a picture (channels, height, width), classes -> a new module."""

TORCHVISION = "torchvision"
LONGEST_SOURCE = 1 << 20
"""Bytes of a source file; more is no source."""


@dataclass(frozen=True, kw_only=True)
class NetworkCode:
    """The code of a network, as it travels to the workers."""

    name: str
    """``model.name``."""
    digest: str
    """SHA-256 of what identifies it."""
    text: str | None = None
    """The source of a file; packages must be installed where they are used."""

    @property
    def place(self) -> str:
        """The file or package."""
        return self.name.rpartition(":")[0]

    @property
    def is_file(self) -> bool:
        """Whether it is a file's, which travels, and not a package's."""
        return self.place.endswith(".py")

    @property
    def function(self) -> str:
        """The function, or the network of torchvision."""
        return self.name.rpartition(":")[2]

    @property
    def remark(self) -> str:
        """What is to be said of it, after a comma, or ""."""
        if self.place != TORCHVISION:
            return ""
        version = importlib.metadata.version(TORCHVISION)
        return (
            f", as torchvision {version} makes it: stem and poolings are those for large pictures"
        )

    def refuse(self, why: str) -> NoReturn:
        """Raises ``ConfigError``: the network is none that can be trained."""
        raise ConfigError(f"model.name: {self.name} {why}")

    def failed(self, what: str, error: BaseException) -> NoReturn:
        """Raises ``ConfigError``: its code raised an error while it was asked for something."""
        said = next(iter(str(error).strip().splitlines()), "")
        said = f"{type(error).__name__}{said and f': {said}'}"
        raise ConfigError(f"model.name: {self.name} {what}: {said}") from error


def read_code(name: str) -> NetworkCode:
    """Returns the code that a name stands for; of a package, its parents are imported.

    Raises:
        ConfigError: if it is not there, or imports what no digest can stand for.
    """
    code = NetworkCode(name=name, digest="")
    if code.place == TORCHVISION:
        identity = [TORCHVISION, importlib.metadata.version(TORCHVISION), code.function]
        return NetworkCode(name=name, digest=_sha256(*identity))
    text = _text(code) if code.is_file else None
    sources = [text] if text is not None else _package_sources(code)
    versions = imported_versions(code, sources[-1])
    return NetworkCode(name=name, digest=_sha256(code.function, *sources, *versions), text=text)


def function_of(code: NetworkCode) -> NetworkFunction:
    """Runs the code and returns the function that makes the network.

    Raises:
        ConfigError: if it cannot be imported, or has no such function.
        ResourceError: if a package here is not the one that the digest is of.
    """
    if code.text is None and read_code(code.name).digest != code.digest:
        raise ResourceError(
            f"model.name: {code.place} here is not the one that the study began with; install the "
            "same on every machine"
        )
    if code.place == TORCHVISION:
        return _torchvision(code)
    module = _imported(code, code.text)
    found: Any = getattr(module, code.function, None)
    if not callable(found):
        code.refuse(f"cannot be imported: {code.place} has no function {quoted(code.function)}")
    return cast(NetworkFunction, found)


def _sha256(*parts: str) -> str:
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode()
        sha.update(f"{len(data)}|".encode() + data)
    return sha.hexdigest()


def _text(code: NetworkCode) -> str:
    """Returns the source of a file."""
    path = expanded(code.place)
    try:
        if regular_size(path) > LONGEST_SOURCE:
            code.refuse(f"cannot be imported: {path} has more than {LONGEST_SOURCE:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ConfigError(f"model.name: {code.name} cannot be imported: {path}: {why}") from error


def _package_sources(code: NetworkCode) -> list[str]:
    """Returns the sources of the package of a module, and last the module's own."""
    try:
        spec = importlib.util.find_spec(code.place)
        top = importlib.util.find_spec(code.place.partition(".")[0])
    except (Exception, SystemExit) as error:
        code.failed("cannot be imported", error)
    if spec is None or top is None:
        code.refuse(f"cannot be imported: there is no module {quoted(code.place)} here")
    if spec.origin is None or not spec.origin.endswith(".py"):
        code.refuse(f"cannot be imported: {code.place} has no source that could identify it")
    folders = [Path(folder) for folder in top.submodule_search_locations or ()]
    files = sorted(path for folder in folders for path in folder.rglob("*.py"))
    files = [*files, Path(spec.origin)]
    return [path.read_text(encoding="utf-8", errors="replace") for path in files]


_RUN: dict[str, str] = {}
"""Package -> digest of the code that this process has imported."""


def _imported(code: NetworkCode, text: str | None) -> Any:
    """Returns the module of the code: of a file a new one, whoever else imported it."""
    try:
        if text is None:
            if _RUN.setdefault(code.name, code.digest) != code.digest:
                code.refuse("was changed since this process imported it: start Python anew")
            return importlib.import_module(code.place)
        module = types.ModuleType(f"lttune_network_{code.digest[:16]}")
        module.__file__ = str(expanded(code.place))
        # Dataclasses, among others, look their module up.
        sys.modules[module.__name__] = module
        exec(compile(text, module.__file__, "exec"), vars(module))
    except ConfigError:
        raise
    # A script may end itself where it is imported.
    except (Exception, SystemExit) as error:
        code.failed("cannot be imported", error)
    return module


def _torchvision(code: NetworkCode) -> NetworkFunction:
    """Returns torchvision's function of a network, which draws new weights and fetches none."""
    # It takes a second to import, and few studies need it.
    import torchvision.models

    names = torchvision.models.list_models(module=torchvision.models)
    if code.function not in names:
        raise unknown("model.name", code.name, [f"{TORCHVISION}:{name}" for name in names])
    build = torchvision.models.get_model_builder(code.function)
    return lambda shape, classes: build(weights=None, num_classes=classes)

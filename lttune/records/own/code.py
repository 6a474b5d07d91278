"""Code of one's own: where it is, what identifies it, how it is run.

A digest stands for the code in the identity of what it made. That of a file is of its text and of
the versions of the packages that it imports; that of a function of a package is of all sources of
the package and the same versions. Packages that are developed here count with their sources.
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
from typing import Any, NoReturn

from lttune.errors import ConfigError, ResourceError, quoted
from lttune.records.own.imports import imported_sources, imported_versions
from lttune.records.own.origin import line_in
from lttune.records.own.process import Sources, importing
from lttune.store.regular import expanded, regular_size

LONGEST_SOURCE = 1 << 20
"""Bytes of a source file; more is no source."""


@dataclass(frozen=True, kw_only=True)
class OwnCode:
    """The code of a function of one's own, as it travels to the workers."""

    field: str
    """Path of the setting that names it, e.g. "prune.criterion"."""
    name: str
    """What the setting says: FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION."""
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
        """The name of the function in it."""
        return self.name.rpartition(":")[2]

    @property
    def module(self) -> str:
        """The name of the module that it runs in; of a package that of the package."""
        return f"lttune_own_{self.digest[:16]}" if self.is_file else self.place.partition(".")[0]

    def refuse(self, why: str) -> NoReturn:
        """Raises ``ConfigError``: it is not what the setting takes."""
        raise ConfigError(f"{self.field}: {self.name} {why}")

    def failed(self, what: str, error: BaseException) -> NoReturn:
        """Raises ``ConfigError``: it raised an error while it was asked for something."""
        said = next(iter(str(error).strip().splitlines()), "")
        said = f"{type(error).__name__}{said and f': {said}'}{line_in(error, [self.module])}"
        raise ConfigError(f"{self.field}: {self.name} {what}: {said}") from error


def read_own_code(field: str, name: str) -> OwnCode:
    """Returns the code that a name stands for; of a package, its parents are imported.

    Args:
        field: path of the setting that names it.
        name: what it says.

    Raises:
        ConfigError: if it is not there, or imports what no digest can stand for.
    """
    code = OwnCode(field=field, name=name, digest="")
    text = _text(code) if code.is_file else None
    return OwnCode(field=field, name=name, digest=_sources(code, text).digest, text=text)


def own_function(code: OwnCode) -> Callable[..., Any]:
    """Runs the code and returns its function.

    Raises:
        ConfigError: if it cannot be imported, or has no such function.
        ResourceError: if a package here is not the one that the digest is of.
    """
    sources = _sources(code, code.text)
    if sources.digest != code.digest:
        raise other_package(code)
    module = _imported(code, sources)
    found: Any = getattr(module, code.function, None)
    if not callable(found):
        code.refuse(f"cannot be imported: {code.place} has no function {quoted(code.function)}")
    return found


def other_package(code: OwnCode) -> ResourceError:
    """Returns the error of a machine that has another version of a package than the study."""
    what = f"what {code.place} imports" if code.is_file else code.place
    return ResourceError(
        f"{code.field}: {what} here is not the one that the study began with; install the same on "
        "every machine"
    )


def sha256_of_texts(*parts: str) -> str:
    """Returns the SHA-256 of texts, of which none can be taken for a part of another."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode()
        sha.update(f"{len(data)}|".encode() + data)
    return sha.hexdigest()


def _sources(code: OwnCode, text: str | None) -> Sources:
    """Returns what identifies code: of a file its text, else what is here of its package."""
    files = _package_files(code) if text is None else [(Path(code.place), text)]
    texts = [source for _, source in files]
    versions = imported_versions(code, texts[-1])
    developed = imported_sources(code, texts)
    others = [": ".join(one) for one in developed.items()]
    digest = sha256_of_texts(code.function, *texts, *versions, *others)
    module = code.place if text is None else None
    return Sources(module=module, files=files, developed=developed, digest=digest)


def _text(code: OwnCode) -> str:
    """Returns the source of a file."""
    path = expanded(code.place)
    try:
        if regular_size(path) > LONGEST_SOURCE:
            code.refuse(f"cannot be imported: {path} has more than {LONGEST_SOURCE:,} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ConfigError(f"{code.field}: {code.name} cannot be imported: {path}: {why}") from error


def _package_files(code: OwnCode) -> list[tuple[Path, str]]:
    """Returns the files of the package of a module with their text, and last the module's own."""
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
    found = sorted(path for folder in folders for path in folder.rglob("*.py"))
    try:
        # Folders may have such names too, and links of editors that lead nowhere.
        files = [*filter(Path.is_file, found), Path(spec.origin)]
        return [(path, path.read_text(encoding="utf-8", errors="replace")) for path in files]
    except OSError as error:
        code.failed("cannot be read", error)


def _imported(code: OwnCode, sources: Sources) -> Any:
    """Returns the module of the code: of a file a new one, whoever else imported it."""
    with importing(sources, code.refuse):
        try:
            if code.text is None:
                return importlib.import_module(code.place)
            module = types.ModuleType(code.module)
            module.__file__ = str(expanded(code.place))
            # Dataclasses, among others, look their module up.
            sys.modules[module.__name__] = module
            exec(compile(code.text, module.__file__, "exec"), vars(module))
        except ConfigError:
            raise
        # A script may end itself where it is imported.
        except (Exception, SystemExit) as error:
            code.failed("cannot be imported", error)
    return module

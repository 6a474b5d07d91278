"""Whether the installed packages are those that lttune asks for."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

from packaging.requirements import Requirement

from lttune.errors import ResourceError


def wanted_packages() -> Iterator[tuple[Requirement, str | None]]:
    """Yields each package that is needed here, and the version that is installed; None of none.

    Of an lttune that is not installed itself, but found by its path, nobody knows what it needs.
    """
    try:
        wanted = importlib.metadata.requires("lttune")
    except importlib.metadata.PackageNotFoundError:
        return
    for text in wanted or ():
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            yield needed, importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            yield needed, None


def fits(needed: Requirement, version: str | None) -> bool:
    """Returns whether an installed version is one that is needed."""
    return version is not None and needed.specifier.contains(version, prereleases=True)


def _asked(needed: Requirement) -> str:
    extras = f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
    return f"{needed.name}{extras}{needed.specifier}"


def require_packages() -> None:
    """Checks the versions of all packages, without importing one.

    Another release of Ray would run a study in a way that nobody has tried, an older PyTorch loads
    pickles that run code.

    Raises:
        ResourceError: naming every package that does not fit, in one line.
    """
    wrong = [
        (needed, version) for needed, version in wanted_packages() if not fits(needed, version)
    ]
    if wrong:
        told = ", ".join(
            f"{needed.name} must be {needed.specifier}, got {version or 'none'}"
            for needed, version in wrong
        )
        mend = " ".join(f"'{_asked(needed)}'" for needed, _ in wrong)
        raise ResourceError(f"installed packages: {told}; pip install {mend}")

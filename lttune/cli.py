"""The command line ``lttune COMMAND``: finds the command, reads its flags, gives the exit code."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from lttune import __version__, commands
from lttune.config.command_line import parsed
from lttune.errors import LttuneError, unknown


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: that of ``errors`` if it fails.

    Args:
        argv: the command's name and its flags; None is the command line's.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    match arguments[:1]:
        case [] | ["-h"] | ["--help"]:
            print(overview(), file=sys.stdout if arguments else sys.stderr)
            return 0 if arguments else 2
        case ["--version"]:
            print(f"lttune {__version__}")
            return 0
    try:
        return _run(arguments[0], arguments[1:])
    except LttuneError as error:
        print(f"lttune: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("lttune: interrupted", file=sys.stderr)
        return 130


def overview() -> str:
    """Returns the help text: a line for each command, none of which is imported."""
    names = _names()
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {_summary(name)}" for name in names]
    usage = "usage: lttune COMMAND [--help] [FLAGS], or lttune --version"
    return "\n".join([usage, "", "commands:", *lines])


def _names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


def _summary(name: str) -> str:
    """Returns the first line of a command's docstring."""
    spec = find_spec(f"{commands.__name__}.{name}")
    get_source = getattr(getattr(spec, "loader", None), "get_source", None)
    source = get_source(f"{commands.__name__}.{name}") if get_source else None
    return (ast.get_docstring(ast.parse(source or "")) or "").partition("\n")[0]


def _run(name: str, arguments: list[str]) -> int:
    if name not in _names():
        raise unknown("command", name, _names())
    # tyro takes longer to import than the overview to print.
    import tyro

    command = importlib.import_module(f"{commands.__name__}.{name}")
    prog, text = f"lttune {name}", command.__doc__
    flags = parsed(
        lambda: tyro.cli(command.Flags, prog=prog, description=text, args=arguments), prog
    )
    return command.main(flags)

"""The command line ``lttune COMMAND``: finds the command, reads its flags, gives the exit code.

Commands are entry points of the group ``lttune.commands``, so that packages above this one, and
those of other people, have commands without being imported here.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec

from lttune import __version__
from lttune.config.command_line import REFUSED, exit_code_after, parsed, tell, unread_output
from lttune.config.output.escaped import coloured_output, say
from lttune.config.output.help import help_text
from lttune.config.output.steps import steps_shown
from lttune.config.signals import interrupts_call, raise_interrupted
from lttune.errors import unknown

ENTRY_POINTS = "lttune.commands"
"""The group of entry points; each names a module (``lttune.commands`` says what is in one)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: that of ``errors`` if it fails.

    Args:
        argv: the command's name and its flags; None is the command line's.
    """
    alone = interrupts_call(raise_interrupted) if argv is None else contextlib.nullcontext()
    with alone, unread_output():
        arguments = list(sys.argv[1:] if argv is None else argv)
        return _main(arguments, is_alone=argv is None)


def _main(arguments: list[str], *, is_alone: bool) -> int:
    match arguments[:1]:
        case []:
            tell(overview())
            return REFUSED
        case ["-h"] | ["--help"]:
            say(*overview().split("\n"))
            return 0
        case ["--version"]:
            say(f"lttune {__version__}")
            return 0
    return exit_code_after(lambda: _run(arguments[0], arguments[1:], is_alone=is_alone), arguments)


def commands() -> Mapping[str, str]:
    """Returns command -> the name of its module, in the order of their names."""
    found = entry_points(group=ENTRY_POINTS)
    return {name: found[name].value for name in sorted(found.names)}


def overview() -> str:
    """Returns the help text: a line for each command, none of which is imported."""
    modules = commands()
    width = max(map(len, modules), default=0)
    lines = [f"  {name:{width}}  {_summary(module)}" for name, module in modules.items()]
    usage = "usage: lttune COMMAND [--help] [FLAGS], or lttune --version"
    return "\n".join([usage, "", "commands:", *lines])


def _summary(module: str) -> str:
    """Returns the first line of a command's docstring."""
    spec = find_spec(module)
    get_source = getattr(getattr(spec, "loader", None), "get_source", None)
    source = get_source(module) if get_source else None
    return (ast.get_docstring(ast.parse(source or "")) or "").partition("\n")[0]


def _run(name: str, arguments: list[str], *, is_alone: bool) -> int:
    modules = commands()
    if name not in modules:
        raise unknown("command", name, modules)
    # tyro takes longer to import than the overview to print.
    import tyro

    command = importlib.import_module(modules[name])
    prog, text = f"lttune {name}", help_text(command.__doc__ or "")
    with coloured_output():
        flags = parsed(
            lambda words: tyro.cli(command.Flags, prog=prog, description=text, args=words),
            arguments,
            prog,
            getattr(command, "UNPREFIXED", ""),
        )
    is_told = is_alone and not getattr(command, "IS_LIVE", False)
    with steps_shown(prog, "at work") if is_told else contextlib.nullcontext():
        return command.main(flags)


if __name__ == "__main__":
    sys.exit(main())

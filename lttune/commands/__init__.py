"""The commands of ``lttune``: one file each, an entry point of the group ``lttune.commands``.

A command is a module with a docstring, whose first line is its line in ``lttune --help``, a
dataclass ``Flags`` of what it is asked (tyro makes the command line of it) and a function
``main(flags) -> int`` that returns the exit code. It imports what is heavy inside ``main``, so that
``--help`` and a mistake answer at once.
"""

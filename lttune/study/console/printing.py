"""A console for what is printed and nothing else."""

from __future__ import annotations

from rich.console import Console


class PrintingConsole(Console):
    """Leaves to the command what it means that nobody reads its output.

    rich's own ends the process with exit code 1.
    """

    def on_broken_pipe(self) -> None:
        """Raises ``BrokenPipeError``: it is called while that is handled."""
        raise

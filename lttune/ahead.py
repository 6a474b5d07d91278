"""Work on the next item while the caller is still busy with the last one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Queue
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yields the items of an iterable, each computed in a thread while the one before is used.

    At most two items are computed that nobody has asked for: one waits, one is under way. An
    exception of the iterable is raised where its item would have been. The thread is a daemon: it
    does not keep a process alive that nobody wants any more.
    """
    results: Queue[tuple[list[T], BaseException | None]] = Queue(maxsize=1)

    def work() -> None:
        try:
            for item in items:
                results.put(([item], None))
        except BaseException as error:
            results.put(([], error))
        else:
            results.put(([], None))

    threading.Thread(target=work, name="lttune-ahead", daemon=True).start()
    while True:
        item, error = results.get()
        if error is not None:
            try:
                raise error
            finally:
                # Else this frame and the error would hold each other, and all that failed with it.
                del error
        if not item:
            return
        yield from item

import contextlib
import gc
import subprocess
import sys
import threading
import weakref

import pytest

from lttune.ahead import ahead


def test_items_come_in_their_order():
    assert list(ahead(range(100))) == list(range(100))
    assert list(ahead([])) == []


def test_the_next_item_is_computed_while_one_is_used():
    begun = threading.Event()

    def items():
        yield 1
        begun.set()
        yield 2

    taken = ahead(items())
    assert next(taken) == 1
    assert begun.wait(5)
    assert next(taken) == 2


def test_no_more_than_two_items_are_computed_in_advance():
    computed, third, fourth = [], threading.Event(), threading.Event()

    def items():
        for number in range(10):
            computed.append(number)
            if number == 2:
                third.set()
            if number == 3:
                fourth.set()
            yield number

    taken = ahead(items())
    assert next(taken) == 0
    assert third.wait(5)
    assert not fourth.wait(0.1)
    assert computed == [0, 1, 2]
    assert list(taken) == list(range(1, 10))


def test_an_error_comes_where_its_item_would_have_been():
    def items():
        yield 1
        raise ValueError("no second one")

    taken = ahead(items())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="no second one") as error:
        next(taken)
    assert "items" in [frame.name for frame in error.traceback]


def test_what_failed_is_not_held_in_memory():
    class Big:
        pass

    held = []

    def items():
        big = Big()
        held.append(weakref.ref(big))
        yield 1
        raise ValueError("too big")

    gc.disable()
    try:
        with contextlib.suppress(ValueError):
            list(ahead(items()))
        assert held[0]() is None
    finally:
        gc.enable()


def test_a_process_ends_although_an_item_is_under_way():
    code = """
import itertools, time
from lttune.ahead import ahead
def items():
    yield "first"
    time.sleep(60)
print(next(ahead(items())))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout == "first\n"

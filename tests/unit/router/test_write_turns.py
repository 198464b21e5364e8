"""Turns to write to SQLite: in the order in which they were asked for, the planner's first, and none is lost."""

import threading
from collections.abc import Callable

import pytest

from router.store.write_turns import WriteTurns


def in_order_of(turns: WriteTurns, names: dict[str, bool]) -> list[str]:
    """Ask for a turn by each name (True: first) while somebody writes; the order in which they got it."""
    got: list[str] = []
    threads = []

    def writer(name: str, first: bool) -> Callable[[], None]:
        def write() -> None:
            with turns.turn(first=first):
                got.append(name)

        return write

    with turns.turn():
        for number, (name, first) in enumerate(names.items(), start=1):
            thread = threading.Thread(target=writer(name, first))
            thread.start()
            threads.append(thread)
            while turns.waiting < number:
                pass
    for thread in threads:
        thread.join(10)
    return got


def test_who_asked_first_writes_first() -> None:
    assert in_order_of(WriteTurns(), {"a": False, "b": False, "c": False}) == ["a", "b", "c"]


def test_the_planner_writes_before_all_who_wait() -> None:
    assert in_order_of(WriteTurns(), {"a": False, "planner": True, "b": False}) == ["planner", "a", "b"]


def test_a_turn_that_ends_in_a_failure_is_handed_on() -> None:
    turns = WriteTurns()
    with pytest.raises(ZeroDivisionError), turns.turn():
        raise ZeroDivisionError
    assert in_order_of(turns, {"a": False}) == ["a"]

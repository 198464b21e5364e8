"""Turns come in the order in which they were asked for; nobody waits for ever."""

import threading

from dicom_nodes.foundation.turns import Turns
from tests.peers.processes import wait_until


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, order = Turns(), list[int]()

    def take(number: int) -> None:
        with turns.turn() as had:
            assert had
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with turns.turn():
        for number, thread in enumerate(threads):
            thread.start()
            wait_until(lambda number=number: turns.waiting == number + 1, "it waits")
        assert order == []
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_whoever_has_waited_long_enough_goes_on_without_a_turn_and_takes_nobodys() -> None:
    turns = Turns(patience_s=0.01)
    with turns.turn() as first:
        with turns.turn() as second:
            assert (first, second) == (True, False)
        assert turns.waiting == 0
        with turns.turn() as third:
            assert third is False
    with turns.turn() as after:
        assert after is True

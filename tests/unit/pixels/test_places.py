"""Whose turn it is to convert, without any process."""

import threading
from concurrent.futures import ThreadPoolExecutor

from dicom_nodes.pixels.places import Places


def test_receiver_with_its_share_leaves_the_last_place_to_others() -> None:
    places, entered = Places(2), list[str]()

    def second() -> None:
        with places.taken("A"):
            entered.append("A again")

    with ThreadPoolExecutor(1) as threads:
        with places.taken("A"):
            again = threads.submit(second)
            for _ in range(100):
                with places.taken("B"):
                    entered.append("B")
        again.result(10)

    assert entered == ["B"] * 100 + ["A again"]


def test_those_who_wait_come_in_the_order_they_came() -> None:
    places, entered = Places(1), list[int]()
    started = [threading.Event() for _ in range(5)]

    def wait(number: int) -> None:
        with places.taken(f"R{number}"):
            entered.append(number)

    with ThreadPoolExecutor(5) as threads, places.taken("first"):
        for number, event in enumerate(started):
            threads.submit(wait, number).add_done_callback(lambda _future, event=event: event.set())
            while places.waiting < number + 1:
                event.wait(0.001)

    assert entered == list(range(5))


def test_only_one_place_serves_one_receiver_after_another() -> None:
    places = Places(1)

    for _ in range(3):
        with places.taken("A"):
            pass

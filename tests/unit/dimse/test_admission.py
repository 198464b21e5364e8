"""Only associations take places; of those that wait to ask, the oldest of the largest crowd makes room."""

from dicom_nodes.dimse.admission import Admission


def test_connections_that_have_not_asked_take_no_place() -> None:
    admission: Admission[int] = Admission(maximum_associations=2, maximum_silent=100)
    for number in range(50):
        assert admission.arrived(number, "10.1.1.1") is None
    assert not admission.takes_place(7), "it has not said anything"
    assert [admission.speaks(number) for number in (7, 8, 9)] == [None] * 3
    assert [admission.takes_place(number) for number in (7, 8, 9)] == [True, True, False]
    admission.left(7)
    assert admission.takes_place(9)


def test_the_oldest_that_waits_makes_room() -> None:
    admission: Admission[int] = Admission(maximum_associations=10, maximum_silent=3)
    assert [admission.arrived(number, "10.1.1.1") for number in range(5)] == [None, None, None, 0, 1]
    admission.speaks(2)
    assert admission.takes_place(2)
    assert admission.arrived(5, "10.1.1.1") is None


def test_one_hosts_crowd_never_costs_another_host_its_turn() -> None:
    admission: Admission[str] = Admission(maximum_associations=10, maximum_silent=4)
    assert admission.arrived("modality", "10.1.1.1") is None
    dropped = [admission.arrived(f"crowd {number}", "10.6.6.6") for number in range(6)]
    assert dropped == [None, None, None, "crowd 0", "crowd 1", "crowd 2"]
    admission.speaks("modality")
    assert admission.takes_place("modality")


def test_what_was_dropped_gets_no_place_any_more_and_leaving_twice_is_harmless() -> None:
    admission: Admission[int] = Admission(maximum_associations=1, maximum_silent=1)
    admission.arrived(1, "10.1.1.1")
    assert admission.arrived(2, "10.1.1.1") == 1
    admission.speaks(1)
    assert not admission.takes_place(1)
    admission.speaks(2)
    admission.left(1)
    admission.left(1)
    assert admission.takes_place(2)


def test_those_that_ask_make_room_for_each_other_and_not_for_those_that_are_silent() -> None:
    admission: Admission[int] = Admission(maximum_associations=10, maximum_silent=100, maximum_asking=2)
    for number in range(20):
        admission.arrived(number, "10.1.1.1")
    assert [admission.speaks(number) for number in (5, 6, 7)] == [None, None, 5]
    assert [admission.takes_place(number) for number in (5, 6, 7)] == [False, True, True]

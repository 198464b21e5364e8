"""Several reports on one connection to the RIS: each answered by its own acknowledgement, and by no late one."""

import socket

import pytest

from dicom_nodes.hl7.outgoing_oru import control_id
from dicom_nodes.hl7.sender import MllpRisSender
from dicom_nodes.model.errors import NothingSent, PeerUnavailable
from dicom_nodes.model.report import AckCode, OutgoingReport
from readacross.demo.ris import END, START, MllpRis, acknowledgement
from tests.fakes.report_samples import TRUST, outgoing_report, ris_settings
from tests.peers.processes import wait_until


class CountedRis(MllpRis):
    """Knows on which of its connections each message came."""

    def __init__(self) -> None:
        super().__init__()
        self.came_on: list[int] = []
        self.came: list[bytes] = []
        self._order: list[socket.socket] = []

    def _answer(self, connection: socket.socket, message: bytes) -> None:
        if all(connection is not known for known in self._order):
            self._order.append(connection)
        self.came.append(message)
        self.came_on.append(next(n for n, known in enumerate(self._order, 1) if known is connection))
        self._reply(connection, message)

    def _reply(self, connection: socket.socket, message: bytes) -> None:
        super()._answer(connection, message)


def reports(count: int) -> list[OutgoingReport]:
    return [outgoing_report(report_id=f"3f0e5a52-1111-4222-8333-{number:012}") for number in range(count)]


def sender(ris: MllpRis, reports_per_connection: int) -> MllpRisSender:
    settings = ris_settings(ris.address, timeout_s=5.0, reports_per_connection=reports_per_connection)
    return MllpRisSender(settings, TRUST)


@pytest.mark.parametrize(("allowed", "expected"), [(1, [1, 2, 3, 4, 5]), (2, [1, 1, 2, 2, 3]), (50, [1, 1, 1, 1, 1])])
def test_as_many_reports_as_the_file_allows_share_a_connection(allowed: int, expected: list[int]) -> None:
    sent = reports(5)
    with CountedRis() as ris:
        to = sender(ris, allowed)
        answers = [to.send(report) for report in sent]
        to.hang_up()
        assert ris.came_on == expected
    assert [answer.code for answer in answers] == [AckCode.AA] * 5
    assert [answer.control_id for answer in answers] == [control_id(report) for report in sent]


def test_a_worker_that_has_no_more_reports_leaves_no_connection_open() -> None:
    with CountedRis() as ris:
        to = sender(ris, 50)
        to.send(outgoing_report())
        assert len(ris._connections) == 1
        to.hang_up()
        wait_until(lambda: not ris._connections, "the connection is closed")


def test_a_report_goes_by_a_new_connection_where_the_ris_has_hung_up_since() -> None:
    class OneEach(CountedRis):
        def _reply(self, connection: socket.socket, message: bytes) -> None:
            super()._reply(connection, message)
            connection.shutdown(socket.SHUT_WR)

    with OneEach() as ris:
        to = sender(ris, 50)
        for report in reports(2):
            assert to.send(report).code is AckCode.AA
            line = to._kept.line
            assert line is not None
            wait_until(lambda line=line: not line.is_quiet, "the RIS has hung up")
        to.hang_up()
        assert ris.came_on == [1, 2]


def test_an_acknowledgement_that_nobody_asked_for_is_not_taken_for_the_next_reports() -> None:
    class Stuttering(CountedRis):
        def _reply(self, connection: socket.socket, message: bytes) -> None:
            connection.sendall(2 * (START + acknowledgement(message, "AA") + END))

    sent = reports(2)
    with Stuttering() as ris:
        to = sender(ris, 50)
        answers = [to.send(report) for report in sent]
        to.hang_up()
        assert ris.came_on == [1, 2]
    assert [answer.control_id for answer in answers] == [control_id(report) for report in sent]


class LosingTheSecond(CountedRis):
    """Whatever comes second on a connection is answered with `late`, or by hanging up where that is None."""

    def __init__(self, late: bytes | None) -> None:
        super().__init__()
        self._late = late

    def _reply(self, connection: socket.socket, message: bytes) -> None:
        if self.came_on.count(self.came_on[-1]) == 1:
            super()._reply(connection, message)
        elif self._late is None:
            self._hang_up(connection)
        else:
            connection.sendall(self._late)


@pytest.mark.parametrize(
    ("late", "words"),
    [
        (None, "closed the connection without an answer|connection .* failed"),
        (START + b"MSH|^~\\&|RIS\rMSA|AA|LATE\r" + END, "acknowledged another message"),
    ],
)
def test_a_second_report_that_is_not_plainly_answered_counts_as_silence(late: bytes | None, words: str) -> None:
    sent = reports(5)
    with LosingTheSecond(late) as ris:
        to = sender(ris, 50)
        to.send(sent[0])
        with pytest.raises(PeerUnavailable, match=words) as caught:
            to.send(sent[1])
        assert not isinstance(caught.value, NothingSent), "it may have arrived"
        for report in sent[1:]:
            assert to.send(report).control_id == control_id(report)
        assert ris.came_on == [1, 1, 2, 3, 4, 5], "each has a connection of its own from then on"
    assert ris.came[1] == ris.came[2], "the same message again, under the same number"


def test_a_report_that_is_refused_ends_the_connection() -> None:
    with CountedRis() as ris:
        to = sender(ris, 50)
        ris.behaviour = "AE"
        assert to.send(outgoing_report()).code is AckCode.AE
        ris.behaviour = "AA"
        assert to.send(outgoing_report()).code is AckCode.AA
        to.hang_up()
        assert ris.came_on == [1, 2]

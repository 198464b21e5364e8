"""Return reports to the trust that made the images, by each channel that it wants.

A report goes only to its study's origin, under the identifiers of the origin's own images (HAZARDS 13). Each channel
has a job of its own, with its own attempts: one that is down or refuses holds up no other, and one that has
acknowledged is never sent to again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from dicom_nodes.flows.ports import Catalogue, Checkpoint, ReportSender, no_checkpoint
from dicom_nodes.flows.return_group import ReturnGroup
from dicom_nodes.flows.return_ports import SHOWS_THE_LAST, ReturnStore, Standing
from dicom_nodes.flows.return_turns import ReturnTurns
from dicom_nodes.foundation.jobs import Job
from dicom_nodes.model.errors import NothingSent, PeerRefused, PeerUnavailable
from dicom_nodes.model.report import ChannelAnswer, OutgoingReport
from dicom_nodes.rules.partner_words import may_name_patient
from dicom_nodes.rules.report_order import goes_backwards

_LONGEST_WORDS = 300
_ASKED_AS = {"ris": "the RIS", "fhir": "the FHIR endpoint"}


class ReturnReport:
    """Carries out `return` orders, one channel a job; a job's key is `ORDER/CHANNEL`."""

    def __init__(
        self,
        orders: ReturnStore,
        catalogue: Catalogue,
        channels: Mapping[str, ReportSender],
        own_ods: str,
        checkpoint: Checkpoint = no_checkpoint,
        none_follows: Callable[[], None] = lambda: None,
    ) -> None:
        """`channels` are those of the trust's file, by the names that the router knows them by.

        `none_follows` is called by a worker that has sent what it had, or is about to wait for something else.
        """
        self._orders, self._catalogue, self._own_ods = orders, catalogue, own_ods
        self._channels = dict(channels)
        self._checkpoint, self._none_follows = checkpoint, none_follows
        self._turns = ReturnTurns()

    def __call__(self, job: Job) -> None:
        """Send the report by the job's channel unless that has acknowledged it, and complete the job.

        Raises:
            PeerUnavailable: the channel did not answer.
            PeerRefused: it answered no or has filed a newer report, the report would not arrive as it is, or it is not
                for this trust or not of this study's patient.
        """
        with self.together([job]) as group:
            group(job)
            group.settle()
            for _, failure in group.ended():
                if failure is not None:
                    raise failure

    @contextmanager
    def together(self, jobs: Sequence[Job]) -> Iterator[ReturnGroup]:
        """Of jobs that one worker does one after the other: see `ReturnGroup`."""
        group = ReturnGroup(
            jobs,
            self._orders,
            self._catalogue,
            self._own_ods,
            self._turns,
            self._sent,
            self._checkpoint,
            self._none_follows,
        )
        try:
            yield group
        finally:
            group.close()
            self._none_follows()

    def _sent(self, order_id: str, channel: str, report: OutgoingReport, standing: Standing) -> ChannelAnswer:
        """The channel's yes."""
        sender = self._channels.get(channel)
        if sender is None:
            raise PeerRefused(f"the trust's file sets no channel {channel} (reports.channels)")
        _require_newest(report, channel, standing)
        answer = self._answer(sender, channel, report)
        self._checkpoint(f"return.{channel}_answered")
        if not answer.accepted:
            told = _passed_on(answer.words, report)
            self._orders.record_refused(order_id, channel, answer.code, answer.words, told)
            raise PeerRefused(f"{_ASKED_AS.get(channel, channel)} answered {answer.code}: {told}")
        return answer

    def _answer(self, sender: ReportSender, channel: str, report: OutgoingReport) -> ChannelAnswer:
        """Send it. Where an older version must not follow, that is remembered first, and forgotten after a plain no,
        or where there was no connection, so that nothing was sent.

        The no to a repeat is not plain: it may mean that the channel has it, from a time whose answer was lost.
        First versions, which are most, the group remembers together.
        """
        if channel not in SHOWS_THE_LAST or report.version == 1:
            return sender.send(report)
        place = (report.study_instance_uid, channel, report.version)
        self._none_follows()
        may_be_there = self._orders.begin_return(*place)
        try:
            answer = sender.send(report)
        except (PeerRefused, NothingSent):
            if not may_be_there:
                self._orders.forget_begun(*place)
            raise
        if not answer.accepted and not may_be_there:
            self._orders.forget_begun(*place)
        return answer


def _require_newest(report: OutgoingReport, channel: str, standing: Standing) -> None:
    why = goes_backwards(report.version, report.status, standing.filed)
    if why is not None:
        raise PeerRefused(f"not sent to the {channel}: {why}")
    begun = standing.begun
    if begun is not None and begun > report.version:
        raise PeerUnavailable(
            f"not sent to the {channel} yet: a newer version ({begun}) may be there, and its answer is waited for"
        )


def _passed_on(words: str, report: OutgoingReport) -> str:
    """A partner's words for whoever resolves the item, who may sit elsewhere; all of them or none."""
    if may_name_patient(words, report):
        return "its words may name the patient and are kept at this node: 'readacross parked' shows them"
    return words[:_LONGEST_WORDS] or "gives no reason"

"""Who decides what is taken, and knows it until it is catalogued: one for a node, however many processes receive.

Two contents under one SOP Instance UID, or one study for two patients, are kept apart here (HAZARDS 6, 7): what is
judged `Take` holds its UID and its study until it is noted or given up.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from dicom_nodes.flows.associations import OpenAssociations
from dicom_nodes.flows.ports import Catalogue
from dicom_nodes.flows.study_claims import StudyClaims
from dicom_nodes.model.errors import OutOfResources
from dicom_nodes.model.instance import InstanceHeader, Provenance, QuarantinedInstance, SpooledInstance, StoredObject
from dicom_nodes.model.report import IncomingReport, RefusedReport
from dicom_nodes.rules.ingest import Take, Verdict, judge_identity
from dicom_nodes.rules.ownership import owner_said_by

IsSound = Callable[[str], bool]


class Reports(Protocol):
    """Where report documents are kept; see `flows.take_report.TakeReport`."""

    def __call__(self, report: IncomingReport) -> str: ...

    def keep_refused(self, refused: RefusedReport) -> str: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance that has arrived whole and is kept nowhere yet."""

    header: InstanceHeader
    digest: str
    provenance: Provenance
    association_id: str


class Judgement(Protocol):
    """What was decided; holds UID and study where that is `Take`, until its context is left."""

    @property
    def verdict(self) -> Verdict: ...

    def note(self, spooled: SpooledInstance) -> None:
        """It is durable: know it from now on. Returns once it is known."""


class Register(Protocol):
    """What `Ingest` asks before it keeps an instance, and tells afterwards."""

    @property
    def is_behind(self) -> bool:
        """Whether so much waits to be catalogued that no more should be taken in."""

    def judged(self, candidate: Candidate) -> AbstractContextManager[Judgement]:
        """Judge it, and hold what a `Take` needs held; raises Refused where that cannot be said now."""

    def take_report(self, sop_instance_uid: str, report: IncomingReport) -> None:
        """Keep a report document as a report; raises Refused."""

    def keep_refused(self, refused: RefusedReport) -> None:
        """Keep a report document that is refused for a person, with what it says of alerts; the same once."""

    def quarantined_at(self, sop_instance_uid: str, digest: str) -> str | None:
        """Where this content is in quarantine, if it is."""

    def note_quarantined(self, quarantined: QuarantinedInstance) -> None:
        """Catalogue it now, with its fact for the router."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    verdict: Verdict
    note: Callable[[SpooledInstance], None]


class CatalogueRegister:
    """The register in the process that has the catalogue; safe for threads."""

    def __init__(
        self, catalogue: Catalogue, is_sound: IsSound, associations: OpenAssociations, reports: Reports
    ) -> None:
        """`is_sound` says of a place in the spool whether its bytes can be read and are what was kept."""
        self._catalogue, self._is_sound, self._associations = catalogue, is_sound, associations
        self._reports = reports
        self._claims = StudyClaims(catalogue.owner_of)
        self._locks = [threading.Lock() for _ in range(256)]
        self._is_closed = False
        self.quarantined_at, self.note_quarantined = catalogue.quarantined_at, catalogue.note_quarantined

    @property
    def is_behind(self) -> bool:
        return self._catalogue.is_behind

    def close(self) -> None:
        """Judge nothing more: what somebody is about to know will be known by the next start only."""
        self._is_closed = True

    @contextmanager
    def judged(self, candidate: Candidate) -> Iterator[_Judgement]:
        header, origin = candidate.header, candidate.provenance.origin
        study, said = header.study_instance_uid, owner_said_by(header, origin)
        with self._only_one_at_a_time(header.sop_instance_uid):
            if self._is_closed:
                raise OutOfResources("the node is stopping, try again")
            existing = self._readable(self._catalogue.find_instance(header.sop_instance_uid), candidate.digest)
            judge = partial(judge_identity, header, candidate.digest, origin, existing)
            verdict = self._claims.judged(study, said, judge)
            judgement = _Judgement(verdict, self._catalogue.note_instance)
            if not isinstance(verdict, Take):
                yield judgement
                return
            try:
                self._associations.touched(candidate.association_id, study, candidate.provenance.received_at)
                yield judgement
            finally:
                self._claims.release(study, said)

    def take_report(self, sop_instance_uid: str, report: IncomingReport) -> None:
        with self._only_one_at_a_time(sop_instance_uid):
            self._reports(report)

    def keep_refused(self, refused: RefusedReport) -> None:
        self._reports.keep_refused(refused)

    def _readable(self, existing: StoredObject | None, digest: str) -> StoredObject | None:
        """What is known under the UID; without a place where it is the same content and cannot be read any more.

        A repeat is often the only cure for damage, so it is not thrown away for a copy that nobody has looked at.
        """
        if existing is None or existing.location is None or existing.digest != digest:
            return existing
        if self._is_sound(existing.location):
            return existing
        if not self._catalogue.lose_place(existing.sop_instance_uid, existing.location):
            raise OutOfResources("the copy that is here is damaged and not yet catalogued, try again")
        return replace(existing, location=None)

    def _only_one_at_a_time(self, sop_instance_uid: str) -> threading.Lock:
        """The lock of everything under this SOP Instance UID."""
        return self._locks[hash(sop_instance_uid) % len(self._locks)]

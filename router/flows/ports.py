"""What the flows need from the outside. One `Transaction` is one commit: a change, its ledger line and its order."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from dicom_nodes.contract import Manifest, NodeHealth, Order, OrderBody, StudySettled
from router.flows.alert_ports import Alerts, JobDesk, Jobs
from router.model.aid import AidBalance, AidBook, AidEntry, AidLimits
from router.model.delivery import Delivery, DeliveryState, ListedDelivery
from router.model.exam import Coverage, Exam, GroupTime, ReadingTime, TimeSums
from router.model.fact import KeptFact
from router.model.imaging_order import ImagingOrder
from router.model.pathway import Pathway
from router.model.patient_conflict import PatientConflict
from router.model.read import Assignment, Read, ReadState, Visibility
from router.model.reader import Credential, Reader, ReaderOnDuty
from router.model.record import Entry, QueueItem
from router.model.report import Disposition, HandMatch, Original, Report
from router.model.rota import Pattern
from router.model.routing_rule import RuleSet, RuleSetEntry
from router.model.sent_order import BrokenOrder, SentOrder
from router.model.session import Leave, Session
from router.model.study import PatientKey, Study, StudyRevision
from router.model.trust import Node, Trust
from router.rules.alert_codes import AlertCodes


class Network(Protocol):
    """Trusts and their nodes."""

    def trusts(self) -> Sequence[Trust]: ...

    def trust(self, ods_code: str) -> Trust | None: ...

    def nodes(self) -> Sequence[Node]: ...

    def node(self, ods_code: str) -> Node | None: ...

    def put_trust(self, trust: Trust) -> None: ...

    def put_node(self, node: Node) -> None:
        """Insert, or change the address; traffic and health stay."""

    def expect_traffic(self, now: datetime) -> None:
        """From now on, a node that was never heard is waited for."""

    def record_traffic(self, ods_code: str, at: datetime, health: NodeHealth | None) -> None: ...


class Readers(Protocol):
    """Readers with their credentials and sessions."""

    def all(self) -> Sequence[Reader]: ...

    def get(self, reader_id: str) -> Reader | None: ...

    def by_registration(self, registration: str) -> Reader | None: ...

    def put(self, reader: Reader) -> None:
        """Insert, or change all but the credentials, which have calls of their own."""

    def revoke(self, reader_id: str, credential_id: str, at: datetime) -> bool: ...

    def add_credential(self, reader_id: str, credential: Credential) -> None: ...

    def set_validity(self, credential: Credential) -> bool:
        """Change from when to when it is valid; a revoked one stays revoked. False when there is none."""

    def sessions(self, reader_id: str | None = None, open_at: datetime | None = None) -> Sequence[Session]: ...

    def session(self, session_id: str) -> Session | None: ...

    def put_session(self, session: Session) -> None: ...

    def remove_session(self, session_id: str) -> bool:
        """False when there is none. One that has been used is ended rather than removed."""

    def on_duty(self, now: datetime) -> Sequence[ReaderOnDuty]:
        """Every reader, with the load of each session open at `now`."""

    def with_loads(self, readers: Sequence[Reader], now: datetime) -> Sequence[ReaderOnDuty]:
        """The same of these readers."""

    def versions(self) -> Sequence[tuple[str, int]]:
        """(reader id, version) by id; the version grows whenever the reader or one of its credentials changes."""

    def duty_of(self, reader_id: str, now: datetime) -> ReaderOnDuty | None:
        """One reader with these loads; nobody else can give this reader a read until the transaction ends."""


class Rota(Protocol):
    """Leave and recurring patterns; the sessions themselves are with the readers."""

    def leave(self, reader_id: str | None = None) -> Sequence[Leave]: ...

    def put_leave(self, leave: Leave) -> None: ...

    def remove_leave(self, leave_id: str) -> bool:
        """False when there is none."""

    def patterns(self, reader_id: str | None = None) -> Sequence[Pattern]: ...

    def put_pattern(self, pattern: Pattern) -> None: ...

    def remove_pattern(self, pattern_id: str) -> bool:
        """False when there is none; its sessions stay."""

    def clear_ahead(self, pattern_id: str, now: datetime, keep: Collection[str] = ()) -> int:
        """Remove the pattern's sessions that have not begun and were never used, but those in `keep`; how many."""


class Aid(Protocol):
    """Mutual aid between trusts."""

    def limits(self) -> Sequence[AidLimits]: ...

    def put_limits(self, limits: AidLimits) -> None: ...

    def book(self, day_starts_at: datetime) -> AidBook:
        """Every trust's limits, with what was given out across trusts since then and not handed back."""

    def add(self, entry: AidEntry) -> bool:
        """False when this read is in the account already."""

    def entries(self, trust: str, since: datetime, until: datetime, limit: int) -> Sequence[AidEntry]:
        """Credits and debits of the trust, oldest first."""

    def balances(self, trust: str, since: datetime, until: datetime) -> Sequence[AidBalance]:
        """One for each other trust there was anything with."""


class Exams(Protocol):
    """Code maps, pathways and learned reading times."""

    def of_trust(self, trust: str) -> Sequence[Exam]: ...

    def find(self, trust: str, local_code: str, scheme: str | None) -> Exam | None:
        """The entry for this code and scheme, or else the one for the code under any scheme."""

    def replace_map(self, trust: str, exams: Sequence[Exam]) -> None: ...

    def has_map(self, trust: str) -> bool: ...

    def coverage(self, trust: str, since: datetime) -> Coverage:
        """Of the studies whose first revision settled since then."""

    def groups(self) -> Sequence[tuple[str, float]]:
        """(exam group, expected minutes) of every standard code in any map."""

    def pathways(self) -> Sequence[Pathway]:
        """The shortest target first."""

    def put_pathway(self, pathway: Pathway) -> None: ...

    def add_time(self, time: ReadingTime) -> bool:
        """False when this read was counted already."""

    def time_sums(self, since: datetime) -> Sequence[TimeSums]: ...

    def group_times(self) -> Sequence[GroupTime]: ...

    def put_group_time(self, time: GroupTime) -> None: ...


class Studies(Protocol):
    def get(self, study_instance_uid: str, *, lock: bool = False) -> Study | None: ...

    def of_same_person(self, patient: PatientKey) -> Sequence[Study]:
        """Studies with the same (issuer, patient id), now or as made, or NHS number and birth date; of any trust."""

    def by_accession(self, accession_number: str, issuer: str | None = None) -> Sequence[Study]: ...

    def possibly_of(self, patient: PatientKey, limit: int) -> Sequence[Study]:
        """Studies with this valid NHS number or this patient id of this issuer, the newest examination first."""

    def of_patient(self, origin: str, issuer: str, patient_id: str) -> Sequence[Study]:
        """The trust's studies of this patient, as known now; locked."""

    def add(self, study: Study) -> None:
        """Keep a study that was not known; its origin stays as it is from now on."""

    def revise(self, study: Study) -> None:
        """Write what a new revision may change: number, modalities, description, exam, and identity it completes."""

    def add_revision(self, settled: StudySettled, at: datetime) -> None: ...

    def revision(self, study_instance_uid: str, revision: int) -> StudyRevision | None: ...

    def manifest(self, study_instance_uid: str, revision: int) -> Manifest: ...

    def settled_between(self, start: datetime, end: datetime, limit: int) -> Sequence[tuple[datetime, Study]]:
        """The last `limit` studies that first settled from `start` to just before `end`, oldest first, as they are
        known now."""


class Reads(Protocol):
    def get(self, read_id: str, *, lock: bool = False) -> Read | None: ...

    def of_study(self, study_instance_uid: str, *, lock: bool = False) -> Sequence[Read]:
        """First reads, oldest first; the last one is the current one."""

    def second_reads(self, study_instance_uid: str, *, lock: bool = False) -> Sequence[Read]:
        """Second reads, oldest first."""

    def next_ordinal(self, study_instance_uid: str) -> int:
        """For one more read of the study."""

    def with_token(self, transaction_uid: str) -> Read | None:
        """The read whose last lease has this fencing token."""

    def add(self, read: Read) -> None: ...

    def replace(self, before: Read, after: Read) -> bool:
        """Write `after` only where state, epoch and token are still as in `before`; False when somebody was first."""

    def explain_waiting(self, explanations: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Write down of reads by id why they wait, of those that still do."""

    def waiting(self, read_ids: Sequence[str]) -> Sequence[tuple[str, dict[str, Any]]]:
        """What was written down of these reads, where anything was."""

    def listing(
        self,
        states: Collection[ReadState] = (),
        origin: str | None = None,
        reader_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
        visible_to: Visibility | None = None,
    ) -> Sequence[Read]:
        """By id, which ascends with time; `after` pages on. `visible_to` leaves out what that reader may not see."""

    def lapsed(self, states: Collection[ReadState], now: datetime) -> Sequence[str]:
        """Ids of the reads in these states whose lease ran out."""

    def overdue(
        self,
        entered_by: Mapping[ReadState, datetime],
        due_states: Collection[ReadState],
        asked_late_since: datetime,
        now: datetime,
    ) -> Sequence[str]:
        """Ids of the reads that are in a state since its time or longer, or in one of `due_states` past their due time.

        Those are left out about which an item of the human queue asks, or did until after that same time (for the due
        time: until after `asked_late_since`).
        """

    def open_assignment(self, assignment: Assignment) -> None: ...

    def close_assignment(self, read_id: str, epoch: int, at: datetime, outcome: str, reason: str | None) -> None: ...

    def assignments(self, read_id: str) -> Sequence[Assignment]: ...

    def arrived(self, since: datetime, until: datetime, most: int) -> tuple[Sequence[Read], int]:
        """Reads made in this time, by id; of more than `most` every so-many-th, and how many each stands for."""

    def versions(self, states: Collection[ReadState]) -> Sequence[tuple[str, int]]:
        """(read id, version) of the reads in these states, in any order; the version grows whenever a read or one of
        its assignments changes."""

    def to_plan(self, read_ids: Sequence[str]) -> Sequence[tuple[Read, int, Sequence[tuple[str, str]]]]:
        """These reads without the explanation of why they wait, each with its version and its past holders
        (reader id, outcome)."""

    def past_holders(self, *states: ReadState) -> Sequence[tuple[str, str, str]]:
        """(read id, reader id, outcome) of every assignment that ended, of all reads in these states."""


class Reports(Protocol):
    def get(self, report_id: str, *, lock: bool = False) -> Report | None: ...

    def add(self, report: Report) -> bool:
        """False when a report with this id is already there."""

    def settle(self, report: Report) -> None:
        """Write disposition, read, version and reasons."""

    def of_study(self, study_instance_uid: str) -> Sequence[Report]: ...

    def listing(self, disposition: Disposition | None, after: str | None, limit: int) -> Sequence[Report]:
        """In the order they came in; `after` is the id of the last one of the page before."""


class Originals(Protocol):
    """Reports as they came to the router itself; what came by a node is kept there."""

    def add(self, original: Original) -> None:
        """Once per report id."""

    def get(self, report_id: str) -> Original | None: ...


class HandMatches(Protocol):
    """Matches by hand that a second person must check."""

    def put(self, match: HandMatch) -> None: ...

    def get(self, report_id: str) -> HandMatch | None: ...

    def remove(self, report_id: str) -> None: ...


class Deliveries(Protocol):
    """The way home of every version, by every channel."""

    def put(self, delivery: Delivery) -> None: ...

    def of_report(self, report_id: str) -> Sequence[Delivery]: ...

    def of_study(self, study_instance_uid: str) -> Sequence[ListedDelivery]:
        """The lowest version first."""

    def listing(
        self, states: Collection[DeliveryState] = (), trust: str | None = None, limit: int | None = None
    ) -> Sequence[ListedDelivery]:
        """Of every study, or of this trust's, the oldest first."""

    def overdue(self, states: Collection[DeliveryState], trust: str, at: datetime) -> Sequence[ListedDelivery]:
        """Deliveries to this trust in one of these states, which it has been owed since then or longer.

        Those are left out whose report has an open item of the phone list, or one that was resolved after that time.
        """

    def mark_sent(self, order_ids: Collection[str], at: datetime) -> None:
        """The node has fetched these orders."""


class Patients(Protocol):
    """Numbers that a trust's ADT merged."""

    def record_merge(self, origin: str, prior_id: str, present: PatientKey, at: datetime) -> None:
        """The number ended, and `present`, of the same issuer, is who the patient is."""

    def merges(self, origin: str, issuer: str, patient_id: str) -> Sequence[PatientKey]:
        """What the merges of this number, one after another, each say of who the patient is; none: never merged."""

    def merges_into(self, origin: str, issuer: str, patient_id: str) -> Mapping[str, PatientKey]:
        """By the number that ended, what the merges into this number say of it; locked."""

    def surviving_id(self, origin: str, issuer: str, patient_id: str) -> str:
        """The number that stands for this one now; itself where it was never merged."""

    def path(self, origin: str, issuer: str, patient_id: str) -> Sequence[str]:
        """This number and those that it was merged into, one after another."""

    def forget_merge(self, origin: str, issuer: str, one_id: str, other_id: str) -> bool:
        """These two numbers are not one person, whichever was merged into the other; whether one was."""


class PatientConflicts(Protocol):
    """Changes of patients that two persons have to settle."""

    def add(self, conflict: PatientConflict) -> None:
        """The same id twice is kept once."""

    def get(self, conflict_id: str, *, lock: bool = False) -> PatientConflict | None: ...

    def undecided(self) -> Sequence[PatientConflict]:
        """Oldest first."""

    def is_undecided(self, study_instance_uid: str) -> bool:
        """Whether any of this study waits."""

    def of_origin(self, origin: str) -> Sequence[PatientConflict]:
        """What this trust's messages have brought up, decided or not; oldest first."""

    def put(self, conflict: PatientConflict) -> None: ...


class ImagingOrders(Protocol):
    """What trusts ordered, by (issuer, accession number)."""

    def get(self, issuer: str, number: str) -> ImagingOrder | None: ...

    def put(self, order: ImagingOrder) -> None: ...


class Facts(Protocol):
    """What nodes said, each fact once."""

    def last_seq(self, node: str, outbox_id: str) -> int:
        """The last seq taken, 0 before the first; holds a lock on this outbox until the transaction ends."""

    def add(self, facts: Sequence[KeptFact]) -> None:
        """Keep these of one outbox, which follow the last one taken without a gap."""

    def between(self, node: str, outbox_id: str, first: int, last: int) -> Sequence[KeptFact]:
        """Facts with these numbers, both ends included."""

    def get(self, node: str, outbox_id: str, seq: int) -> KeptFact | None: ...

    def failed(self, limit: int) -> Sequence[KeptFact]:
        """Those that could not be carried out when they came, newest first."""


class IssuedOrder(Protocol):
    """An order as the router remembers it."""

    @property
    def order(self) -> Order: ...
    @property
    def node(self) -> str: ...
    @property
    def read_id(self) -> str | None: ...
    @property
    def report_id(self) -> str | None: ...
    @property
    def epoch(self) -> int | None: ...
    @property
    def outcome(self) -> str | None:
        """None while open, then COMPLETED, PARKED, RECALLED, or LOST where the node has no such job parked."""


class Orders(Protocol):
    """The ordered, immutable log of each node."""

    def log_id(self, node: str | None = None) -> str:
        """The name of this node's log, or of every log that was never renamed."""

    def head(self, node: str, *, lock: bool = False) -> int:
        """Seq of the last order in the node's log, 0 before the first."""

    def rename_log(self, node: str) -> None:
        """Give the node's log a new name, so that the node starts again at its beginning."""

    def issue(
        self,
        node: str,
        body: OrderBody,
        at: datetime,
        *,
        read_id: str | None = None,
        report_id: str | None = None,
        epoch: int | None = None,
    ) -> Order: ...

    def after(self, node: str, seq: int, limit: int) -> Sequence[SentOrder | BrokenOrder]:
        """Orders that still have to be carried out: not completed ones, nor images of a former holder or revision."""

    def get(self, order_id: str) -> IssuedOrder | None: ...

    def of_read(self, read_id: str) -> Sequence[IssuedOrder]: ...

    def conclude(self, order_id: str, outcome: str, at: datetime, reason: str | None = None) -> None: ...


class Ledger(Protocol):
    """Append-only; the database itself refuses changes."""

    def append(self, entry: Entry) -> None:
        """Written with others at the transaction's end, or earlier."""

    def flush(self) -> None:
        """Write now what was appended."""

    def of_study(self, study_instance_uid: str) -> Sequence[Entry]: ...


class HumanQueue(Protocol):
    def open(self, item: QueueItem) -> bool:
        """False when an item with this dedupe key was opened before."""

    def get(self, item_id: str) -> QueueItem | None: ...

    def by_key(self, dedupe_key: str) -> QueueItem | None: ...

    def listing(self, *, kind: str | None, resolved: bool) -> Sequence[QueueItem]: ...

    def open_about(self, report_ids: Collection[str]) -> Sequence[QueueItem]:
        """What waits for a person about any of these reports, oldest first."""

    def is_open(self, kind: str, study_instance_uid: str, node: str) -> bool:
        """Whether an item of this kind, about this study and node, waits for a person."""

    def resolve(self, item_id: str, by: str, at: datetime, note: str) -> bool:
        """False when it is resolved already."""


class RuleSets(Protocol):
    """Versions of the routing rules and what was done with them; both only grow."""

    def lock(self) -> None:
        """Nobody else changes a rule set until the transaction ends."""

    def active_version(self) -> int | None:
        """The version that routes; None where the exam table alone does."""

    def active(self) -> RuleSet | None:
        """The version that routes."""

    def get(self, version: int) -> RuleSet | None: ...

    def listing(self) -> Sequence[RuleSet]:
        """Every version, newest first."""

    def add(self, text: str, digest: str, comment: str, author: str, at: datetime) -> RuleSet:
        """Keep a new version, which gets the next number. Needs the lock."""

    def set_active(self, version: int | None) -> None:
        """Needs the lock."""

    def note(self, entry: RuleSetEntry) -> None: ...

    def history(self, version: int | None = None) -> Sequence[RuleSetEntry]:
        """What was done, oldest first, with one version or with all."""


@dataclass(frozen=True, slots=True)
class Named:
    """What some facts speak of; each may be there or not."""

    studies: tuple[str, ...] = ()
    accessions: tuple[tuple[str, str], ...] = ()
    """(accession number, issuer)"""
    new_reports: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    """Of the human queue, by what makes them appear once."""


class Transaction(Protocol):
    """One commit."""

    @property
    def network(self) -> Network: ...
    @property
    def readers(self) -> Readers: ...
    @property
    def rota(self) -> Rota: ...
    @property
    def aid(self) -> Aid: ...
    @property
    def exams(self) -> Exams: ...
    @property
    def studies(self) -> Studies: ...
    @property
    def reads(self) -> Reads: ...
    @property
    def reports(self) -> Reports: ...
    @property
    def originals(self) -> Originals: ...
    @property
    def hand_matches(self) -> HandMatches: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def patients(self) -> Patients: ...
    @property
    def patient_conflicts(self) -> PatientConflicts: ...
    @property
    def imaging_orders(self) -> ImagingOrders: ...
    @property
    def facts(self) -> Facts: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def queue(self) -> HumanQueue: ...
    @property
    def rule_sets(self) -> RuleSets: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def alert_codes(self) -> AlertCodes:
        """Which codes of a report are alerts."""

    @property
    def jobs(self) -> Jobs: ...

    def foresee(self, named: Named) -> None:
        """Read together what will be asked of these, where nobody can change it meanwhile; otherwise nothing."""

    def flush(self) -> None:
        """Write now what waits to be written with others."""

    def attempt(self, effect: Callable[[], None]) -> Exception | None:
        """Run `effect` so that its failure undoes only itself; a failure of the database itself is raised."""


class Store(Protocol):
    @property
    def job_desk(self) -> JobDesk: ...

    @property
    def effects_a_commit(self) -> int:
        """How many effects that are independent of one another belong into one commit.

        Many where one writer holds the whole database anyway, one where writers run beside each other: two that lock
        the same rows in another order would stop each other.
        """

    def write(self) -> AbstractContextManager[Transaction]: ...

    def read(self) -> AbstractContextManager[Transaction]: ...

    def planner_lock(self) -> AbstractContextManager[bool]:
        """True for one planner at a time, over all replicas; False at once for the others."""

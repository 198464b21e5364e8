"""The course of the proof: images to their readers, the post while everything fails, then a person who clears up."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from dicom_nodes.model.delivery import ApplicationEntity
from readacross.demo.modality import send
from tests.network.proof.expectation import Expected
from tests.network.proof.letters import LATEST_WRITING_S, Case, Letter, as_message
from tests.network.proof.sending import Posted, Senders
from tests.network.proof.trouble import Trouble
from tests.network.proof.trusts import Network, reader_of

_CONNECTIONS = 6
_UNDER_WAY = ("QUEUED", "SENT")
_STUCK = ("PARKED", "REJECTED")
_ASKS_ABOUT = {"report_rejected", "order", "phone_list"}


@dataclass
class Course:
    """One run; `seen` is what it tells at its end."""

    network: Network
    cases: Sequence[Case]
    expected: Sequence[Expected]
    deadline_s: float
    seen: dict[str, Any]
    readers: dict[int, str] = field(default_factory=dict)
    """Case → ODS code of the trust where its reader sits."""

    def bring_images(self) -> datetime:
        """Send every study to its trust's node; when all are with their readers, in whole seconds."""
        for code, trust in self.network.trusts.items():
            files = [file for case in self.cases if case.origin == code for file in case.study.files]
            send(files, "DCMTK", ApplicationEntity(f"{code}_NODE", "127.0.0.1", trust.dicom_port))
        seats = {reader_of(code): code for code in self.network.readers}
        by_uid = {case.uid: case.number for case in self.cases}

        def delivered() -> bool:
            reads = self.network.all("/reads", 1000)
            self.readers = {
                by_uid[read["study_instance_uid"]]: seats[read["lease"]["reader_id"]]
                for read in reads
                if read["images_delivered_at"]
            }
            return len(self.readers) == len(self.cases)

        self._wait(delivered, lambda: f"all of {len(self.cases)} images are with their readers: {len(self.readers)}")
        return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)

    def post(self, letters: Sequence[Letter], began: datetime, trouble: Trouble | None) -> None:
        """Send all letters; `trouble` happens meanwhile. Returns when every one is acknowledged and trouble is over."""
        latest = began + timedelta(seconds=LATEST_WRITING_S)
        while datetime.now(UTC) < latest:
            time.sleep(0.05)
        owed = self._expected_filings()
        posted = [self._posted(letter, began) for letter in letters]
        senders = Senders(posted, _CONNECTIONS, lambda sent: trouble is None or sent < 40 + 3 * self.filed())
        end = time.monotonic() + self.deadline_s
        while not senders.is_done() or (trouble is not None and trouble.steps):
            if trouble is not None:
                trouble.go_on(senders.acknowledged + self.filed(), len(letters) + owed)
            assert not senders.failures, senders.failures[:3]
            assert time.monotonic() < end, f"{senders.acknowledged} of {len(letters)} letters are acknowledged"
            time.sleep(0.05)
        assert not senders.failures, senders.failures[:3]
        if trouble is not None:
            trouble.end()
        self.seen["letters sent again"] = self.seen.get("letters sent again", 0) + senders.resent

    def settle(self) -> None:
        """Wait until the router has every letter and nothing is on its way that waits for nobody."""
        distinct = sum(len(one.outcomes) for one in self.expected)
        self._wait(lambda: len(self.reports()) >= distinct, lambda: f"the router has all of {distinct} letters")
        self._wait(lambda: not self._moving(), lambda: f"nothing is on its way: {self._moving()[:3]}")

    def clear_up(self) -> None:
        """A person has everything sent again that is stuck, until nothing is; the trusts are well again."""

        def cleared() -> bool:
            for item in self.open_items():
                if item["kind"] in _ASKS_ABOUT and item["can_resend"]:
                    self.network.call("POST", f"/human-queue/{item['id']}/resend", {"note": "they are back"})
                    self.seen["sent again by a person"] = self.seen.get("sent again by a person", 0) + 1
            return not self._moving() and not self.stuck()

        self._wait(cleared, lambda: f"nothing is stuck any more: {self.stuck()[:3]}")

    def reports(self) -> list[dict[str, Any]]:
        return self.network.all("/reports")

    def open_items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.network.call("GET", "/human-queue")
        return found

    def stuck(self) -> list[dict[str, Any]]:
        """Deliveries that wait for a person."""
        found: list[dict[str, Any]] = self.network.call("GET", "/deliveries", state=list(_STUCK), limit=1000)
        return found

    def _moving(self) -> list[dict[str, Any]]:
        """Deliveries that a node works on; one without an order waits for an earlier version."""
        found = self.network.call("GET", "/deliveries", state=list(_UNDER_WAY), limit=1000)
        waiting = {(one["study_instance_uid"], one["channel"]) for one in self.stuck()}
        return [one for one in found if one["order_id"] or (one["study_instance_uid"], one["channel"]) not in waiting]

    def filed(self) -> int:
        """How many messages all RIS have filed."""
        return sum(len(trust.ris.filed) for trust in self.network.trusts.values())

    def _expected_filings(self) -> int:
        """About: most preliminary reports are overtaken before they are sent."""
        return sum(version.kind != "P" for one in self.expected for version in one.versions)

    def _posted(self, letter: Letter, began: datetime) -> Posted:
        where = self.readers[letter.case]
        message = as_message(letter, self.cases, self.network.readers[where], began)
        return Posted(letter.case, letter.control_id, message, self.network.trusts[where].hl7_port)

    def _wait(self, condition: Callable[[], bool], what: Callable[[], str]) -> None:
        """As long as asking takes a while, it is asked more seldom."""
        end = time.monotonic() + self.deadline_s
        while True:
            began = time.monotonic()
            if condition():
                return
            if time.monotonic() > end:
                raise TimeoutError(f"after {self.deadline_s:g} s still not: {what()}\n{self.network.outputs()}")
            time.sleep(min(15.0, max(0.1, 8 * (time.monotonic() - began))))


def chance_of(seed: int, what: str) -> random.Random:
    """Chance of its own for each part, so that a change of one leaves the others as they were."""
    return random.Random(f"{seed} {what}")

"""Trusts whose numbers collide, three RIS that fail in every way in turns, router and nodes killed again and again.

Every version of every report is filed at its origin exactly once, and none anywhere else (HAZARDS 2, 10, 11, 13, 14).

Everything is the real part: processes, MLLP, DICOM, HTTP; only the RIS is the test's own. In the suite it has the size
of a test run. As large as the issue asks, with a seed of one's own (see docs/proof.md):

    READACROSS_PROOF_REPORTS=5000 READACROSS_PROOF_SEED=7 pytest -s -n 0 tests/network/test_every_report_comes_home.py
"""

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.network.proof.course import Course, chance_of
from tests.network.proof.expectation import expected_of
from tests.network.proof.judgement import are_on_the_phone_list, judge_end, judge_stuck
from tests.network.proof.letters import Letter, colliding_cases, post_of
from tests.network.proof.trouble import Trouble, steps_of
from tests.network.proof.trusts import running_network
from tests.peers.processes import wait_until

pytestmark = pytest.mark.peers("dcmtk")

FAILING = ("RXN", "REM", "RBT")
OTHERS = ("RTX", "RBS", "RJR", "RJN", "RBQ", "REP", "RBN", "RVY", "REN", "RET", "RWW", "RBL")
LETTERS_A_STUDY = 5.6


@dataclass(frozen=True, slots=True)
class Size:
    """How large the network is and how long things may take; `readers` are trusts that read, with registrations."""

    trusts: tuple[str, ...]
    readers: dict[str, str]
    kills: int
    rounds: int
    """How often each RIS fails in each way; 0: each way once, at one of them."""
    phone_after_s: float
    plan_every_s: float
    patience_s: float
    deadline_s: float


_READERS = {"RXR": "C1000001", "RXL": "C1000002"}
LARGE = Size((*FAILING, *_READERS, *OTHERS), _READERS, 40, 1, 20.0, 1.0, 4.0, 3600)
SMALL = Size(FAILING, {"RBT": "C1000001"}, 2, 0, 1.0, 0.3, 0.7, 90)
"""Three trusts, one of which reads: each process costs two seconds of a core to start."""

REPORTS = int(os.environ.get("READACROSS_PROOF_REPORTS", "50"))
SEED = int(os.environ.get("READACROSS_PROOF_SEED", "20261127"))
SIZE = LARGE if REPORTS >= 1000 else SMALL
KILLS = int(os.environ.get("READACROSS_PROOF_KILLS", SIZE.kills))
_LATER_S = 3600
"""Letters of the second wave count as written so long after the first."""


def test_every_version_is_filed_at_its_origin_exactly_once_and_none_elsewhere(tmp_path: Path) -> None:
    print(f"seed {SEED}, {REPORTS} reports, {len(SIZE.trusts)} trusts: READACROSS_PROOF_SEED={SEED} repeats it")
    began_s, chance = time.monotonic(), chance_of(SEED, "trouble")
    each = max(1, round(REPORTS / LETTERS_A_STUDY / len(SIZE.trusts)))
    cases = colliding_cases(tmp_path / "images", SIZE.trusts, each)
    letters = post_of(cases, SIZE.trusts, chance_of(SEED, "post"))
    expected = expected_of(letters, len(cases))
    with running_network(
        tmp_path / "network", SIZE.trusts, SIZE.readers, FAILING, chance, SIZE.phone_after_s, SIZE.plan_every_s
    ) as network:
        course = Course(network, cases, expected, SIZE.deadline_s, {"letters": len(letters), "cases": len(cases)})
        trouble = Trouble(network, steps_of(network, chance, KILLS, SIZE.rounds), SIZE.patience_s)
        began = course.bring_images()
        course.seen["images after s"] = round(time.monotonic() - began_s)
        course.post(letters, began, trouble)
        course.seen["first wave after s"] = round(time.monotonic() - began_s)
        course.settle()
        wait_until(lambda: are_on_the_phone_list(course), "what is stuck is on the phone list", 60, 0.5)
        judge_stuck(course)
        course.clear_up()

        again = [_written_again(letter) for one in expected for letter in one.to_be_written_again()]
        for letter in again:
            expected[letter.case].take(letter)
        course.post(again, datetime.now(UTC) - timedelta(seconds=_LATER_S), None)
        course.settle()
        course.clear_up()
        judge_end(course)
        course.seen |= {"written again": len(again), "kills": dict(trouble.killed), "turns": len(trouble.turns)}
        course.seen["whole s"] = round(time.monotonic() - began_s)
        print(json.dumps(course.seen, indent=1, sort_keys=True))


def _written_again(letter: Letter) -> Letter:
    """Its author hears that it waited and sends it again, as a new message written now."""
    return Letter(letter.case, letter.kind, letter.text, _LATER_S, f"{letter.control_id}W")

"""What is drawn before anybody decides: the assumptions' figures, common random numbers, and scenarios."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dicom_nodes.foundation.settings_file import SettingsError
from router.simulate.arrivals import hourly_shares
from router.simulate.assumptions import BUILT_IN, load_assumptions
from router.simulate.what_if import BadQuestion, WhatIf, read_questions
from router.simulate.world import build_world
from tests.unit.simulate.worlds import ASSUMPTIONS, small, small_world


def test_a_region_gets_as_many_studies_a_week_as_the_assumptions_say() -> None:
    world = build_world(ASSUMPTIONS, "lsc", "normal", WhatIf(), 3, 1)
    assert world.region.classes.weekly.sum() == pytest.approx(17_700)
    came = (world.arrivals.came >= 0).sum()
    assert came == pytest.approx(3 * 17_700, rel=0.02)


def test_elective_work_comes_on_weekdays_by_day_and_emergencies_by_night_too() -> None:
    elective, emergency = hourly_shares(ASSUMPTIONS, "routine"), hourly_shares(ASSUMPTIONS, "emergency")
    assert elective.sum() == pytest.approx(1)
    assert elective.reshape(7, 24)[:, :8].sum() == 0
    assert elective.reshape(7, 24)[5].sum() == pytest.approx(elective.reshape(7, 24)[0].sum() / 4)
    assert emergency.reshape(7, 24)[:, 17:22].mean() > emergency.reshape(7, 24)[:, 8:17].mean()
    assert (emergency > 0).all()


def test_minutes_of_reading_follow_the_log_normal_of_their_exam() -> None:
    world = build_world(ASSUMPTIONS, "lsc", "normal", WhatIf(), 2, 1)
    head = world.region.classes.exam[world.arrivals.klass] == world.region.exams.index("ct_head")
    assert np.median(world.arrivals.minutes[head]) == pytest.approx(7, rel=0.05)


def test_reading_outside_the_subspecialty_takes_a_fifth_longer_and_for_another_trust_a_twentieth() -> None:
    world = small_world()
    staff, classes = world.staff, world.region.classes
    speed = np.array([person.speed for person in staff.people])[:, None]
    own = staff.trust[:, None] == classes.trust
    for matched, home, times in ((True, True, 1.0), (False, True, 1.2), (True, False, 1.05), (False, False, 1.26)):
        which = (staff.matched == matched) & (own == home) & staff.eligible
        assert which.any()
        assert np.allclose((staff.factor / speed)[which], times)


def test_radiographers_read_plain_images_only() -> None:
    world = small_world()
    modality = np.array([ASSUMPTIONS.exams[world.region.exams[e]].modality for e in world.region.classes.exam])
    radiographers = [r for r, person in enumerate(world.staff.people) if person.radiographer]
    assert radiographers
    assert not world.staff.eligible[radiographers][:, modality != "DX"].any()


def test_nobody_is_in_two_sessions_at_once() -> None:
    for scenario in ("normal", "trust_loss"):
        until: Counter[int] = Counter()
        for session in small_world(scenario, weeks=2).sessions:
            assert session.start >= until[session.reader]
            until[session.reader] = session.end  # type: ignore[assignment]


def test_a_scenario_changes_only_what_it_says() -> None:
    normal, loss, surge = (small_world(scenario) for scenario in ("normal", "trust_loss", "cancer_surge"))
    assert np.array_equal(normal.arrivals.came, loss.arrivals.came)
    assert sum(not person.sessions for person in loss.staff.people) > 0
    assert [person.name for person in surge.staff.people] == [person.name for person in normal.staff.people]
    assert [(s.reader, s.start) for s in surge.sessions] == [(s.reader, s.start) for s in normal.sessions]
    assert len(surge.arrivals) > len(normal.arrivals)


def test_a_trust_loses_half_its_readers() -> None:
    world = small_world("trust_loss")
    struck = [p for p in world.staff.people if p.trust == world.region.trust_index("struck")]
    away = sum(p.specialty == "away" for p in struck)
    assert away == len(struck) // 2


def test_one_more_reader_reads_on_tuesdays_and_changes_nobody_else() -> None:
    asked = read_questions(["reader=RXL:neuro:tuesday"], small(), "lsc")
    before, after = small_world(), small_world(what_if=asked)
    assert len(after.staff) == len(before.staff) + 1
    assert after.staff.people[-1].sessions == ((1, 0), (1, 1))
    assert np.array_equal(before.arrivals.came, after.arrivals.came)


def test_a_scanner_that_is_out_makes_no_elective_studies() -> None:
    asked = read_questions(["scanner-out=RXL:MR:1"], small(), "lsc")
    world = small_world(what_if=asked)
    classes = world.region.classes
    mr = np.array([ASSUMPTIONS.exams[world.region.exams[e]].modality == "MR" for e in classes.exam])
    here = classes.trust == world.region.trust_index("RXL")
    left = {world.region.pathways[p] for p in classes.pathway[mr & here]}
    assert left == {"emergency", "inpatient", "cauda_equina"}


def test_an_agreement_lets_the_helper_read_more() -> None:
    asked = read_questions(["aid=RXN>RXL:240"], small(), "lsc")
    before, after = small_world(), small_world(what_if=asked)
    more = after.aid_minutes[:, 1] - before.aid_minutes[:, 1]
    assert more.tolist() == [240.0 if trust.ods == "RXN" else 0.0 for trust in before.region.trusts]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("holiday", "expected one of"),
        ("reader=RXX:neuro:tuesday", "trust 'RXX' is unknown; expected of RXL, RXR, RXN, RTX"),
        ("reader=RXL:feet:tuesday", "subspecialty 'feet' is unknown"),
        ("reader=RXL:neuro:sunday", "weekday 'sunday' is unknown"),
        ("reader=RXL:neuro", "expected one of"),
        ("aid=RXN>RXL:much", "number 'much' is unknown; expected a number from 0"),
        ("aid=RXN:240", "trust '' is unknown"),
        ("scanner-out=RXL:XX", "modality 'XX' is unknown"),
        ("scanner-out=RXL:MR:2", "number '2' is unknown"),
        ("demand=1.1:ct_feet", "modality 'ct_feet' is unknown"),
    ],
)
def test_a_question_that_is_not_understood_is_refused_with_what_was_expected(question: str, said: str) -> None:
    with pytest.raises(BadQuestion, match=said.replace("(", "\\(")):
        read_questions([question], ASSUMPTIONS, "lsc")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("urgent = 12, routine = 38", "urgnt = 12, routine = 38", "exams.xr_chest.mix: unknown urgnt"),
        ('struck = "RXL"', 'struck = "RXX"', "regions.lsc.struck: unknown RXX"),
        ("leave_share = 0.16", "leave_share = 1.6", "reading.leave_share"),
        ("cross_trust = 1.05", "crosstrust = 1.05", "reading.crosstrust"),
    ],
)
def test_an_assumption_that_makes_no_sense_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = BUILT_IN.read_text()
    assert old in text
    file = tmp_path / "assumptions.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(SettingsError, match=said):
        load_assumptions(file)

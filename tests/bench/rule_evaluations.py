"""How fast rules are evaluated and replayed: 40 realistic rules over 10,000 studies, a week of a region replayed.

python -m tests.bench.rule_evaluations
"""

import random
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from router.model.reader import Reader
from router.model.session import Session
from router.model.study import Study
from router.rules.routing_rules.checking import check
from router.rules.routing_rules.comparing import RoutedStudy
from router.rules.routing_rules.compiled import compile_text
from router.rules.routing_rules.evaluation import evaluate
from router.rules.routing_rules.expected_load import expected_load
from router.rules.routing_rules.known_names import KnownNames
from router.rules.routing_rules.rule_file import parse
from router.rules.study_routing import Routed, route
from tests.unit.router.people import NOW, credential, reader
from tests.unit.router.routing_rules.rule_texts import ROUTING, a_study

RULES, STUDIES, WEEK, READERS = 40, 10_000, 17_700, 100
_MORE = (
    'origin.trust == "RXL" && order.priority == "urgent" && now.hour >= 18',
    'study.modality == "MR" && study.body_part in ["PROSTATE", "PELVIS"]',
    'study.description.contains("TRAUMA") && study.minutes_since_exam > 60',
    'order.subspecialty == "neuro" && order.minutes_to_due < 120 && !now.weekend',
)


def main() -> None:
    """Measure and print."""
    rules = _text()
    start = time.perf_counter()
    checked = check(rules, KnownNames(), NOW)
    print(f"check of {RULES} rules with reachability: {time.perf_counter() - start:.3f} s")
    assert checked.compiled is not None
    studies = _studies()
    for _ in range(3):
        start, cpu = time.perf_counter(), time.process_time()
        _rule(rules, studies)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        each = RULES * STUDIES
        print(
            f"{each / wall:,.0f} evaluations/s, {each / cpu:,.0f} a CPU second; {wall / STUDIES * 1e6:,.0f} µs a study"
        )
    week = [
        RoutedStudy(NOW + timedelta(minutes=n * 10_080 / WEEK), replace(study, study_instance_uid=f"1.{n}"), routed)
        for n, (study, routed) in ((n, studies[n % STUDIES]) for n in range(WEEK))
    ]
    start = time.perf_counter()
    load = expected_load(week, _people(), _sessions(), NOW + timedelta(days=7))
    took = time.perf_counter() - start
    print(f"load of {WEEK:,} reads on {READERS} readers: {took:.1f} s, {load.unread:,} unread")


def _text() -> str:
    book, _ = parse((Path(__file__).parents[2] / "config" / "rules.toml").read_text(encoding="utf-8"))
    assert book is not None
    conditions = [*(rule.condition for rule in book.rules), *_MORE]
    rules = (
        f"[[rules]]\nname = 'r{n}'\nowner = 'x'\ncondition = '''\n{conditions[n % len(conditions)].strip()}'''\n"
        "[rules.effects]\nprefer = { trusts = ['RXN'] }\n"
        for n in range(RULES)
    )
    return "".join(rules) + "[default]\n"


def _studies() -> list[tuple[Study, Routed]]:
    seeded = random.Random(1)
    words = ["CT HEAD STROKE", "CT CHEST 2WW", "MR LUMBAR SPINE ?CES", "CT ABDO PELVIS", "RESEARCH MR BRAIN", None]
    made = []
    for number in range(STUDIES):
        study = replace(
            a_study(birth_date=seeded.choice([None, date(1940 + seeded.randrange(86), 1, 1)])),
            study_instance_uid=f"1.2.{number}",
            origin=seeded.choice(["RXN", "RXL"]),
            modalities=(seeded.choice(["CT", "CT", "MR"]),),
            description=seeded.choice(words),
            body_part=seeded.choice(["HEAD", "CHEST", "SPINE", "ABDOMEN", None]),
            study_time=NOW - timedelta(minutes=seeded.randrange(600)),
        )
        routed = route(study, ROUTING, NOW)
        assert isinstance(routed, Routed)
        made.append((study, routed))
    return made


def _rule(rules: str, studies: list[tuple[Study, Routed]]) -> None:
    compiled = compile_text(rules)
    for number, (study, routed) in enumerate(studies):
        evaluate(compiled, 1, study, routed, ROUTING, NOW + timedelta(seconds=number))


def _people() -> list[Reader]:
    until = NOW + timedelta(days=30)
    credentials = credential("RXN", valid_until=until), credential("RXL", valid_until=until)
    scope = {"modalities": frozenset({"CT", "MR"}), "subspecialties": frozenset({"neuro", "body"})}
    return [
        reader(f"r{n}", employer="RXN" if n % 2 else "RXL", credentials=credentials, **scope) for n in range(READERS)
    ]


def _sessions() -> list[Session]:
    starts = [(n, NOW + timedelta(days=day)) for n in range(READERS) for day in range(7)]
    return [Session(f"s{n}-{at}", f"r{n}", at, at + timedelta(hours=8), capacity_minutes=240) for n, at in starts]


if __name__ == "__main__":
    main()

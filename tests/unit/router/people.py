"""Readers on duty, for the tests of the rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

from router.model.reader import Credential, Reader, ReaderOnDuty, Workstation
from router.model.session import Session, SessionLoad

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def credential(trust: str = "RXN", **changes: Any) -> Credential:
    values = {"id": f"c-{trust}", "trust": trust, "valid_from": NOW - timedelta(1), "valid_until": NOW + timedelta(1)}
    return Credential(**{**values, **changes})  # type: ignore[arg-type]


def reader(name: str = "a", **changes: Any) -> Reader:
    values: dict[str, Any] = {
        "id": name,
        "name": f"Dr {name}",
        "registration": f"C-{name}",
        "employer": "RXL",
        "modalities": frozenset({"CT"}),
        "subspecialties": frozenset({"neuro"}),
        "workstation": Workstation("RXL", "WS"),
        "credentials": (credential(),),
    }
    return Reader(**{**values, **changes})


def load(name: str = "a", used: int = 0, **changes: Any) -> SessionLoad:
    values: dict[str, Any] = {
        "id": f"s-{name}",
        "reader_id": name,
        "starts_at": NOW - timedelta(hours=1),
        "ends_at": NOW + timedelta(hours=1),
        "capacity_reads": 10,
    }
    return SessionLoad(Session(**{**values, **changes}), used, used * 7.0)


def on_duty(name: str = "a", used: int = 0, session: dict[str, Any] | None = None, **changes: Any) -> ReaderOnDuty:
    return ReaderOnDuty(reader(name, **changes), (load(name, used, **(session or {})),))

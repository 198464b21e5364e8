"""Who reads: radiologists and reporting radiographers, with what they are entitled to."""

from dataclasses import dataclass
from datetime import datetime

from router.model.session import SessionLoad


@dataclass(frozen=True, slots=True)
class Credential:
    """The right to read for a trust, from `valid_from` to just before `valid_until`, unless revoked."""

    id: str
    trust: str
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None = None

    def holds(self, trust: str, now: datetime) -> bool:
        revoked = self.revoked_at is not None and self.revoked_at <= now
        return self.trust == trust and self.valid_from <= now < self.valid_until and not revoked


@dataclass(frozen=True, slots=True)
class Workstation:
    """Where images are delivered, and which node delivers them."""

    node: str
    ae_title: str


@dataclass(frozen=True, slots=True)
class Reader:
    id: str
    name: str
    registration: str
    employer: str
    modalities: frozenset[str]
    subspecialties: frozenset[str]
    workstation: Workstation
    credentials: tuple[Credential, ...] = ()
    active: bool = True

    def is_credentialed(self, trust: str, now: datetime) -> bool:
        """Whether the reader may read for the trust at this moment."""
        return self.active and any(credential.holds(trust, now) for credential in self.credentials)


@dataclass(frozen=True, slots=True)
class ReaderOnDuty:
    """A reader with the load of every session that is open now."""

    reader: Reader
    sessions: tuple[SessionLoad, ...]

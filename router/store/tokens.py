"""Bearer tokens. A token is 256 random bits, so a plain SHA-256 of it is as good as a slow hash (ADR 012)."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select, update

from router.store import tables as t

Role = Literal["admin", "coordinator", "reader", "node"]

_BY_DIGEST = select(t.token).where(t.token.c.digest == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who presents a token; `subject` is a reader id, an ODS code, or a person's name."""

    token_id: str
    role: Role
    subject: str

    @property
    def name(self) -> str:
        """How the ledger names this caller."""
        return f"{self.role} {self.subject}"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    id: str
    role: Role
    subject: str
    created_at: datetime
    revoked_at: datetime | None


def issue(connection: Connection, role: Role, subject: str, now: datetime) -> tuple[str, str]:
    """Make a token; returns its id and the secret, which is nowhere stored."""
    secret = f"rx_{role}_{secrets.token_urlsafe(32)}"
    token_id = str(uuid4())
    values = {"id": token_id, "role": role, "subject": subject, "digest": _digest(secret), "created_at": now}
    connection.execute(insert(t.token).values(**values))
    return token_id, secret


def caller_of(connection: Connection, secret: str) -> Caller | None:
    """Whose token this is; None for an unknown or revoked one."""
    digest = _digest(secret)
    row = connection.execute(_BY_DIGEST, {"of": digest}).one_or_none()
    if row is None or row.revoked_at is not None or not hmac.compare_digest(row.digest, digest):
        return None
    return Caller(row.id, row.role, row.subject)


def revoke(connection: Connection, token_id: str, now: datetime) -> bool:
    """Make a token useless; False when there is none that is live."""
    live = (t.token.c.id == token_id, t.token.c.revoked_at.is_(None))
    return connection.execute(update(t.token).where(*live).values(revoked_at=now)).rowcount == 1


def listing(connection: Connection) -> Sequence[TokenRecord]:
    """All tokens, without anything that could be used as one."""
    rows = connection.execute(select(t.token).order_by(t.token.c.created_at))
    return [TokenRecord(row.id, row.role, row.subject, row.created_at, row.revoked_at) for row in rows]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

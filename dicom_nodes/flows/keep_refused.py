"""Keep an order or a change of a patient that was refused: its sender may never look at an AE (HAZARDS 3, ADR 135)."""

import hashlib
from typing import Protocol
from uuid import UUID, uuid5

from dicom_nodes.model.refused_message import RefusedMessage

_NAMESPACE = UUID("5d3b7a0e-0c2f-4e0b-9a57-6f3c1d8e2b41")


class RefusedMessageStore(Protocol):
    def keep(self, refusal_id: str, refused: RefusedMessage) -> None:
        """Keep it and put `MessageRefused` into the outbox, durable on return; idempotent by id."""


class KeepRefused:
    """A return means durable; the same bytes refused again are one refusal."""

    def __init__(self, store: RefusedMessageStore) -> None:
        self._store = store

    def __call__(self, refused: RefusedMessage) -> None:
        digest = hashlib.sha256(refused.original).hexdigest()
        self._store.keep(str(uuid5(_NAMESPACE, f"{refused.kind}\n{digest}")), refused)

"""The demonstration's modality: sends files by C-STORE, bytes as they lie on disk, and again what was not answered."""

from collections.abc import Iterable, Sequence

from pydicom.uid import UID
from pynetdicom import AE, _config

from dicom_nodes.model.delivery import ApplicationEntity
from readacross.demo.images import ImageFile

_config.STORE_SEND_CHUNKED_DATASET = True  # a file's bytes go out as they are, not decoded and encoded again
_ATTEMPTS = 5


class SendFailed(Exception):
    """The receiver did not take everything; says what it answered, without patient data."""


def send(files: Iterable[ImageFile], calling: str, to: ApplicationEntity) -> None:
    """Send every file until it was answered with 0000.

    Raises:
        SendFailed: refused, or not answered after several associations.
    """
    left = list(files)
    for _ in range(_ATTEMPTS):
        left = _unanswered(left, calling, to)
        if not left:
            return
    raise SendFailed(f"{to.ae_title} did not answer {len(left)} C-STORE requests in {_ATTEMPTS} associations")


def _unanswered(files: Sequence[ImageFile], calling: str, to: ApplicationEntity) -> list[ImageFile]:
    entity = AE(calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
    for sop_class, syntax in sorted({(file.sop_class_uid, file.transfer_syntax_uid) for file in files}):
        entity.add_requested_context(UID(sop_class), UID(syntax))
    association = entity.associate(to.host, to.port, ae_title=to.ae_title)
    if association.is_rejected:
        raise SendFailed(f"{to.ae_title} rejected the association of {calling}")
    left = list(files)
    while left and association.is_established:
        status = association.send_c_store(left[0].path)
        if "Status" not in status:
            break
        if status.Status != 0:
            raise SendFailed(f"{to.ae_title} answered C-STORE with {int(status.Status):04X}")
        left.pop(0)
    if association.is_established:
        association.release()
    return left

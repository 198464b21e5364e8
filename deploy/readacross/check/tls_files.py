"""What is wrong with a trust's TLS files, or soon will be; and how its partners are asked by TLS."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from dicom_nodes.config import NodeSettings, Tls, tls_problems
from dicom_nodes.dimse.association import OpenAssociation, Proposal, RequestedAssociation
from dicom_nodes.dimse.requester import AssociationRequester, Timeouts
from dicom_nodes.dimse.tls_settings import TlsCaller
from dicom_nodes.foundation.tls_context import TlsContexts, TlsFilesError, certificate_validity
from dicom_nodes.model.delivery import ApplicationEntity
from dicom_nodes.model.errors import PeerUnavailable
from dicom_nodes.rules.health import CERTIFICATE_WARNING_DAYS

_OTHERS_MAY_READ = 0o077


def tls_findings(tls: Tls, now: datetime) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) with the files of a `[tls]` table."""
    problems = tls_problems(tls)
    if problems:
        yield from problems
        return
    if tls.key.stat().st_mode & _OTHERS_MAY_READ:
        yield "tls.key", f"may be read by others than its owner: {tls.key}; expected mode 0600"
    certificates = [("tls.certificate", tls.certificate)]
    certificates += [(f"tls.trusted[{number}]", file) for number, file in enumerate(tls.trusted)]
    for key, file in certificates:
        yield from _time_is_up(key, file, now)


def _time_is_up(key: str, file: Path, now: datetime) -> Iterator[tuple[str, str]]:
    begins, ends = certificate_validity(file)
    if now < begins:
        yield key, f"is valid from {begins:%Y-%m-%d %H:%M} UTC only: {file}"
    elif ends <= now:
        yield key, f"has expired at {ends:%Y-%m-%d %H:%M} UTC: {file}"
    elif ends - now < timedelta(days=CERTIFICATE_WARNING_DAYS):
        yield key, f"ends at {ends:%Y-%m-%d %H:%M} UTC, in {(ends - now).days} days: {file}"


def opener(settings: NodeSettings, timeouts: Timeouts) -> OpenAssociation:
    """Calls partners as this trust's node does; never without TLS where there is to be TLS."""
    own = settings.node.ae_title
    if settings.tls is None:
        return AssociationRequester(own, timeouts)
    try:
        contexts = TlsContexts(settings.tls.files)
    except TlsFilesError:
        return _WithoutTls(settings, AssociationRequester(own, timeouts))
    return AssociationRequester(own, timeouts, TlsCaller(contexts, settings.certificate_of, settings.may_be_called))


class _WithoutTls:
    """Calls nobody who is to be called by TLS: our files cannot be used."""

    def __init__(self, settings: NodeSettings, requester: AssociationRequester) -> None:
        self._settings, self._requester = settings, requester

    def __call__(self, to: ApplicationEntity, proposals: Sequence[Proposal]) -> RequestedAssociation:
        if self._settings.certificate_of(to.ae_title) is not None:
            raise PeerUnavailable("not asked: it is to be called by TLS, and the files of [tls] cannot be used")
        return self._requester(to, proposals)

"""A whole node from a trust file with TLS, and what `readacross check` says of such files."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readacross.cli import command_line
from tests.integration.dimse.node import bundled
from tests.peers import dcmtk
from tests.peers.certificates import Authority, Identity
from tests.peers.node import archived_digests, peer, running_node, write_trust_file
from tests.peers.processes import wait_until


def tls_table(identity: Identity, authority: Authority, listen: str = "127.0.0.1:0") -> str:
    return (
        f'[tls]\nlisten = "{listen}"\ncertificate = "{identity.certificate}"\nkey = "{identity.key}"\n'
        f'trusted = ["{authority.certificate}"]\n'
    )


def bound(table: str, certificate: str) -> str:
    return table + f'certificate = "{certificate}"\n'


def options(identity: Identity, authority: Authority) -> list[str]:
    return ["+tls", str(identity.key), str(identity.certificate), "+cf", str(authority.certificate)]


SCANNER = bound(peer("CT1", "modality", ("echo", "store")), "dns:ct1.example")


@pytest.mark.peers("dcmtk")
@pytest.mark.parametrize("receivers", [0, 1])
def test_an_image_that_comes_by_tls_reaches_the_archive(
    tmp_path: Path, authority: Authority, own: Identity, scanner: Identity, receivers: int
) -> None:
    peers = [tls_table(own, authority), SCANNER]
    file = write_trust_file(tmp_path, peers=peers, settle_quiet_s=0.2, receivers=receivers)
    with running_node(file) as node:
        target = dcmtk.Target("RXN_NODE", node.dicom_tls_port, "CT1")
        answer = dcmtk.send_with_storescu([bundled("CT_small.dcm")], target, *options(scanner, authority))
        assert answer.ok, answer.output
        wait_until(lambda: archived_digests(tmp_path), "the image is archived")


@pytest.mark.peers("dcmtk")
def test_a_pacs_with_a_certificate_is_called_by_tls(
    tmp_path: Path, authority: Authority, own: Identity, scanner: Identity
) -> None:
    pacs_identity = authority.issue("PACS")
    with dcmtk.running_workstation("PACS", *options(pacs_identity, authority)) as pacs:
        archive = bound(f'kind = "dimse"\nae_title = "PACS"\naddress = "{pacs.address}"\n', "cn:PACS")
        file = write_trust_file(
            tmp_path, archive=archive, peers=[tls_table(own, authority), SCANNER], settle_quiet_s=0.2
        )
        with running_node(file) as node:
            target = dcmtk.Target("RXN_NODE", node.dicom_tls_port, "CT1")
            dcmtk.send_with_storescu([bundled("CT_small.dcm")], target, *options(scanner, authority))
            wait_until(pacs.files, "the image is in the PACS")


def test_health_says_when_the_certificate_ends(tmp_path: Path, authority: Authority) -> None:
    late = authority.issue("LATE_NODE", ends=timedelta(days=5, hours=3))
    with running_node(write_trust_file(tmp_path, peers=[tls_table(late, authority), SCANNER])) as node:
        assert "The node's TLS certificate ends in 5 days. Install a new one; no restart is needed." in (
            node.health().reasons
        )
        assert node.health().state == "degraded"


def test_a_node_with_an_expired_certificate_starts_and_says_so(tmp_path: Path, authority: Authority) -> None:
    late = authority.issue("EXPIRED_NODE", begins=timedelta(days=-9), ends=timedelta(days=-1))
    with running_node(write_trust_file(tmp_path, peers=[tls_table(late, authority), SCANNER])) as node:
        assert any("TLS certificate has expired" in reason for reason in node.health().reasons)
        assert node.dicom_port


# -- readacross check --------------------------------------------------------------------------------------------------
def checked(*arguments: str | Path) -> str:
    return " ".join(
        CliRunner().invoke(command_line(), ["check", *map(str, arguments)], env={"COLUMNS": "250"}).output.split()
    )


@pytest.mark.parametrize(
    ("begins_days", "ends_days", "expected"),
    [(-9, -1, "tls.certificate: has expired at"), (-1, 5, "in 4 days: "), (1, 90, "tls.certificate: is valid from")],
)
def test_check_says_when_a_certificate_is_out_of_its_time(
    tmp_path: Path, authority: Authority, begins_days: int, ends_days: int, expected: str
) -> None:
    identity = authority.issue("TIMED", begins=timedelta(days=begins_days), ends=timedelta(days=ends_days))

    assert expected in checked("--no-probe", write_trust_file(tmp_path, peers=[tls_table(identity, authority)]))


def test_check_says_that_others_may_read_the_key(tmp_path: Path, authority: Authority) -> None:
    identity = authority.issue("OPEN")
    identity.key.chmod(0o644)

    assert "tls.key: may be read by others than its owner" in checked(
        "--no-probe", write_trust_file(tmp_path, peers=[tls_table(identity, authority)])
    )


def test_check_names_a_key_that_does_not_fit_and_asks_nobody_without_tls(
    tmp_path: Path, authority: Authority, own: Identity, scanner: Identity
) -> None:
    wrong = tls_table(Identity(own.certificate, scanner.key), authority)
    station = bound(peer("STATION", "workstation", (), "127.0.0.1:9"), "cn:STATION")
    said = checked(write_trust_file(tmp_path, peers=[wrong, station]))

    assert "tls.key: does not fit the certificate" in said
    assert "not asked: it is to be called by TLS, and the files of [tls] cannot be used" in said


@pytest.mark.peers("dcmtk")
def test_check_asks_by_tls_and_says_who_answers(tmp_path: Path, authority: Authority, own: Identity) -> None:
    own.key.chmod(0o600)
    with dcmtk.running_workstation("STATION", *options(authority.issue("STATION"), authority)) as station:
        right = bound(peer("STATION", "workstation", (), station.address), "cn:STATION")
        wrong = bound(peer("STATION", "workstation", (), station.address), "cn:OTHER")
        table = tls_table(own, authority)
        answers = checked(write_trust_file(tmp_path / "right", peers=[table, right]))
        is_another = checked(write_trust_file(tmp_path / "wrong", peers=[table, wrong]))

    assert "takes CT, MR, CR" in answers
    assert "is not who it should be" in is_another


def test_check_finds_a_node_that_calls_by_tls_where_none_is_expected(
    tmp_path: Path, authority: Authority, own: Identity
) -> None:
    node = peer("RXN_NODE", "node", ("get",))
    other = peer("RXL_NODE", "node", ("get",))
    table = tls_table(own, authority)
    one = write_trust_file(tmp_path / "one", ods_code="RXL", peers=[table, bound(node, "cn:RXN")])
    two = write_trust_file(tmp_path / "two", ods_code="RXN", peers=[other])

    assert "RXN.toml: peers[0].certificate: is missing, but" in checked("--no-probe", one, two)

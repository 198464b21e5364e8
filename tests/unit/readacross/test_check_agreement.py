"""What `readacross check` finds between files, each time with file, key and what was expected."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from readacross.check.loading import load_files
from readacross.cli import command_line
from tests.peers.certificates import Authority
from tests.unit.readacross.region_files import Change, write_region


def swap(old: str, new: str) -> Change:
    return lambda text: text.replace(old, new)


def drop_peer(ae_title: str) -> Change:
    def change(text: str) -> str:
        tables = text.split("[[peers]]")
        return "[[peers]]".join(table for table in tables if f'ae_title = "{ae_title}"\nrole' not in table)

    return change


def check(files: list[Path], *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(command_line(), ["check", "--no-probe", *options, *map(str, files)])
    return result.exit_code, " ".join(result.output.split())


def test_files_that_agree_pass(tmp_path: Path) -> None:
    code, output = check(write_region(tmp_path))
    assert "valid, and in agreement" in output
    assert code == 0


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (
            "RXL.toml",
            swap('ods_code = "RXL"', 'ods_code = "RXN"'),
            "RXL.toml: trust.ods_code: 'RXN' is used by {folder}/RXN.toml too",
        ),
        (
            "network.toml",
            swap('name = "RXN Trust"', 'name = "RXN Trust", returns = { channels = ["ris", "archive", "pdf"] }'),
            "network.toml: trusts[0].returns.channels: are ris, archive, pdf, "
            "but {folder}/RXN.toml says reports.channels for ris, archive",
        ),
        (
            "RXL.toml",
            swap('ae_title = "RXL_NODE"', 'ae_title = "NODE_OF_RXL"'),
            "network.toml: nodes[1].ae_title: is 'RXL_NODE', but {folder}/RXL.toml says node.ae_title = 'NODE_OF_RXL'",
        ),
        (
            "RXL.toml",
            swap('listen = "127.0.0.1:11201"', 'listen = "127.0.0.1:11999"'),
            "network.toml: nodes[1].port: is 11201, but {folder}/RXL.toml listens at 127.0.0.1:11999",
        ),
        (
            "RXL.toml",
            swap('listen = "127.0.0.1:11201"', 'listen = "127.0.0.1:0"'),
            "RXL.toml: node.listen: asks for any free port",
        ),
        (
            "RXL.toml",
            swap('listen = "127.0.0.1:11202"', 'listen = "127.0.0.1:11201"'),
            "RXL.toml: hl7.listen: 127.0.0.1:11201 is already taken by node.listen",
        ),
        (
            "RXL.toml",
            swap('listen = "127.0.0.1:11202"', 'listen = "127.0.0.1:11102"'),
            "RXL.toml: hl7.listen: 127.0.0.1:11102 is already taken by hl7.listen of {folder}/RXN.toml",
        ),
        (
            "RXL.toml",
            swap('data_dir = "data-RXL"', 'data_dir = "data-RXN"'),
            "RXL.toml: node.data_dir: '{folder}/data-RXN' is used by {folder}/RXN.toml too",
        ),
        (
            "RXL.toml",
            swap('ae_title = "RXL_PACS"', 'ae_title = "RXL_NODE"'),
            "RXL.toml: archive.ae_title: 'RXL_NODE' is the node's own",
        ),
        (
            "RXL.toml",
            swap('address = "127.0.0.1:11203"', 'address = "127.0.0.1:11201"'),
            "RXL.toml: archive.address: is this node's own address; expected the PACS",
        ),
        (
            "RXL.toml",
            drop_peer("RXL_WS"),
            "RXL.toml: peers: has no 'RXL_WS', the workstation of readers[0] of {folder}/readers.toml",
        ),
        (
            "RXL.toml",
            swap('role = "workstation"', 'role = "archive"'),
            "RXL.toml: peers[1].role: is 'archive', but 'RXL_WS' is the workstation of readers[0]",
        ),
        (
            "RXL.toml",
            swap('address = "127.0.0.1:11204"', ""),
            "RXL.toml: peers[1].address: is missing: nothing can be delivered to 'RXL_WS'",
        ),
        (
            "RXN.toml",
            drop_peer("RXL_NODE"),
            "RXN.toml: peers: has no 'RXL_NODE', but readers at RXL read for RXN",
        ),
        (
            "RXN.toml",
            swap('may = ["echo", "get"]', 'may = ["echo"]'),
            "RXN.toml: peers[0].may: does not let 'RXL_NODE' \"get\"",
        ),
        (
            "RXN.toml",
            swap('role = "node"\nallowed_hosts = ["127.0.0.1"]', 'role = "node"\nallowed_hosts = ["10.1.0.0/16"]'),
            "RXN.toml: peers[0].allowed_hosts: do not hold 127.0.0.1, where RXL's node is",
        ),
        (
            "RXN.toml",
            swap('role = "node"', 'role = "modality"'),
            "RXN.toml: peers[0].role: 'RXL_NODE' is the node of RXL; expected role \"node\", got 'modality'",
        ),
        (
            "RXL.toml",
            swap('ae_title = "RXN_NODE"', 'ae_title = "RXX_NODE"'),
            "RXL.toml: peers[0].ae_title: 'RXX_NODE' is no node of {folder}/network.toml",
        ),
        (
            "RXL.toml",
            swap('token_file = "RXL.token"', 'token_file = "elsewhere.token"'),
            "RXL.toml: router.token_file: no such file: {folder}/elsewhere.token",
        ),
        (
            "network.toml",
            swap('{ ods_code = "RXL", ae_title = "RXL_NODE", host = "127.0.0.1", port = 11201 },', ""),
            "readers.toml: readers[0].workstation.node: expected a node of network.toml, got 'RXL'",
        ),
        ("routing.toml", swap("minutes = 7.0, ", ""), "routing.toml: exams[0].minutes: is missing and has no default"),
        ("RXN.toml", swap("[trust]", "[trust"), "RXN.toml: (syntax):"),
    ],
)
def test_check_names_file_key_and_what_was_expected(tmp_path: Path, file: str, change: Change, expected: str) -> None:
    code, output = check(write_region(tmp_path, {file: change}))
    assert expected.format(folder=tmp_path) in output
    assert code == 1


@pytest.mark.parametrize("address", ["127.0.0.1:11101", None])
def test_a_node_that_is_where_its_peer_says_passes_with_tls(tmp_path: Path, address: str | None) -> None:
    code, output = check(_with_tls(tmp_path, address))
    assert code == 0, output


def test_a_node_that_would_not_be_fetched_from_is_named(tmp_path: Path) -> None:
    code, output = check(_with_tls(tmp_path, "127.0.0.1:9"))
    assert "RXL.toml: peers[0].address: source 'RXN_NODE' (RXN) at 127.0.0.1:11101 is not called: expected" in output
    assert code == 1


def _with_tls(folder: Path, address: str | None) -> list[Path]:
    """The region, RXL with [tls] and with this address of its peer RXN_NODE."""
    Authority(folder).issue("NODE")
    files = write_region(folder)
    (file,) = (file for file in files if file.name == "RXL.toml")
    text = file.read_text()
    if address:
        text = text.replace('role = "node"\n', f'role = "node"\naddress = "{address}"\n', 1)
    tls = '[tls]\ncertificate = "NODE.pem"\nkey = "NODE.key"\ntrusted = ["authority.pem"]\n'
    file.write_text(text + tls)
    return files


def test_check_goes_on_after_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    files = write_region(tmp_path, {"RXN.toml": swap("may = ", "may_not = ")})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    code, output = check([tmp_path / "missing.toml", tmp_path / "binary.toml", *files])
    assert "missing.toml: (file): cannot be read: No such file or directory" in output
    assert "binary.toml: (file): is not UTF-8 text" in output
    assert "RXN.toml: peers[0].may_not: unknown key; is it misspelt?" in output
    assert code == 1


def test_seeds_named_by_a_router_file_may_be_given_with_it() -> None:
    config = Path(__file__).parents[3] / "config"
    loaded = load_files(sorted(config.glob("*.toml")))
    assert [str(finding) for finding in loaded.findings] == []
    assert len(loaded.routers) == 1


def test_a_seed_alone_is_a_finding_that_says_what_is_missing() -> None:
    seed = Path(__file__).parents[3] / "config" / "network.toml"
    assert [finding.words for finding in load_files([seed]).findings] == [
        "a router's seed, but no router file given here names it"
    ]

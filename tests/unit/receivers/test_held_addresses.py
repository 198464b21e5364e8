"""The node's addresses stay the node's: several processes share them, and nobody else does."""

import errno
import socket
from pathlib import Path

import pytest

from dicom_nodes.config import load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError
from dicom_nodes.receivers.port import HeldAddresses, with_ports
from tests.peers.node import write_trust_file


def shared(port: int) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", port))
    return one


def test_a_port_that_another_node_listens_on_is_refused_though_it_shares_it(tmp_path: Path) -> None:
    with shared(0) as theirs:
        theirs.listen()
        with pytest.raises(OSError, match="in use"):
            HeldAddresses([theirs.getsockname()])


def test_what_is_held_can_be_listened_on_by_receivers_and_takes_no_connection_itself() -> None:
    held = HeldAddresses([("127.0.0.1", 0)])
    (port,) = held.ports
    with socket.socket() as caller:
        assert caller.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    with shared(port) as first, shared(port) as second:
        first.listen()
        second.listen()
        for _ in range(20):
            socket.create_connection(("127.0.0.1", port)).close()
    held.close()


def test_receivers_are_told_the_port_that_the_system_gave(tmp_path: Path) -> None:
    settings = load_node_settings(write_trust_file(tmp_path, receivers=2))
    told = type(settings).model_validate_json(with_ports(settings, (4242,)).model_dump_json())
    assert told.node.listen == "127.0.0.1:4242"
    assert told == settings.model_copy(update={"node": told.node})


def test_receivers_need_a_database_that_they_can_share(tmp_path: Path) -> None:
    file = write_trust_file(tmp_path, receivers=2)
    file.write_text(file.read_text().replace("receivers = 2", 'receivers = 2\ndatabase_url = "sqlite://"'))
    with pytest.raises(SettingsError, match=r"node\.receivers"):
        load_node_settings(file)

"""A receiver gets its node's settings as JSON: they must mean the same there, whatever the file leaves out."""

from pathlib import Path

import pytest

from dicom_nodes.config import NodeSettings, load_node_settings
from dicom_nodes.foundation.settings_file import SettingsError
from tests.peers.node import write_trust_file


@pytest.mark.parametrize("ris", [None, "127.0.0.1:2575"])
def test_settings_are_the_same_in_a_receiver(tmp_path: Path, ris: str | None) -> None:
    settings = load_node_settings(write_trust_file(tmp_path, ris=ris))
    assert NodeSettings.model_validate_json(settings.model_dump_json()) == settings


def test_a_file_that_lists_the_ris_must_have_one(tmp_path: Path) -> None:
    file = write_trust_file(tmp_path)
    file.write_text(file.read_text() + '\n[reports]\nchannels = ["ris"]\n')
    with pytest.raises(SettingsError, match=r"ris: is missing, but reports\.channels lists 'ris'"):
        load_node_settings(file)

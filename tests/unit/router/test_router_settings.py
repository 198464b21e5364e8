"""A wrong file is refused with file, key and what was expected; files are checked against each other."""

from pathlib import Path

import pytest

from dicom_nodes.foundation.settings_file import SettingsError
from router.config import check_router_files, load_router_settings
from tests.integration.router.region import write_region

SEEDS = Path(__file__).parents[3] / "config" / "router.toml"


def test_the_files_in_config_can_be_used() -> None:
    assert check_router_files(SEEDS) == []
    settings = load_router_settings(SEEDS)
    assert {trust.ods_code for trust in settings.network.trusts} == {"RXL", "RXN", "RXR", "RTX"}


def test_a_relative_database_file_lies_beside_the_settings(tmp_path: Path) -> None:
    settings = write_region(tmp_path, "sqlite:///var/router.sqlite")
    assert settings.router.database_url == f"sqlite:///{tmp_path}/var/router.sqlite"


@pytest.mark.parametrize("url", ["sqlite://", "postgresql://u@h:5432/d", "sqlite:////absolute/file"])
def test_other_database_urls_stay_as_they_are(tmp_path: Path, url: str) -> None:
    assert write_region(tmp_path, url).router.database_url == url


@pytest.mark.parametrize(
    ("file", "before", "after", "problem"),
    [
        ("router.toml", 'listen = "127.0.0.1:0"', 'listen = "nowhere"', "router.listen: expected HOST:PORT"),
        ("router.toml", "plan_every_s", "plan_evry_s", "router.plan_evry_s: unknown key; is it misspelt?"),
        ("router.toml", "sqlite://", "mysql://", "router.database_url: expected sqlite:///FILE or postgresql://"),
        ("router.toml", '"readers.toml"', '"nobody.toml"', "nobody.toml: (file): cannot be read"),
        (
            "network.toml",
            'nodes = [\n  { ods_code = "RXN"',
            'nodes = [\n  { ods_code = "RXX"',
            "nodes[0].ods_code: expected one",
        ),
        ("network.toml", 'ods_code = "RTX"', 'ods_code = "RXL"', "trusts[2].ods_code: 'RXL' is used twice"),
        ("network.toml", "port = 11112", "port = 0", "nodes[0].port: "),
        (
            "readers.toml",
            'node = "RXL"',
            'node = "RTX"',
            "readers[0].workstation.node: expected a node of network.toml",
        ),
        ("readers.toml", 'trust = "RXN"', 'trust = "RXX"', "readers[0].credentials[0].trust: expected a trust"),
        ("readers.toml", 'employer = "RXL"', 'employer = "RXX"', "readers[0].employer: expected a trust"),
        ("readers.toml", 'id = "reader-2"', 'id = "reader-1"', "readers[1].id: 'reader-1' is used twice"),
        ("readers.toml", '"C1000002"', '"C1000001"', "readers[1].registration: 'C1000001' is used twice"),
        ("readers.toml", '["neuro"]', '["nuero"]', "readers[0].subspecialties[0]: expected a subspecialty"),
        ("readers.toml", "T18:00:00Z", "T18:00:00", "readers[0].sessions[0].end: Input should have timezone info"),
        (
            "readers.toml",
            "capacity_reads = 60",
            "capacity_minutes = inf",
            "sessions[0].capacity_minutes: Input should be",
        ),
        ("router.toml", "claim_timeout_s = 1800.0", "claim_timeout_s = inf", "router.claim_timeout_s: Input should be"),
        ("readers.toml", "2027-01-01", "2025-01-01", "readers[0].credentials[0]: valid_until: must be later"),
        (
            "readers.toml",
            "sessions = [",
            "sessions = [{ start = 2026-11-02T17:00:00Z, end = 2026-11-02T19:00:00Z, capacity_reads = 1 }, ",
            "readers[0].sessions[1]: overlaps sessions[0]",
        ),
        (
            "readers.toml",
            "subspecialties =",
            'profession = "reporting_radiographer"\nsubspecialties =',
            "readers[0]: exam_scope: a reporting radiographer must have one",
        ),
        ("readers.toml", "subspecialties =", 'levels = { msk = "general" }\nsubspecialties =', "readers[0].levels: "),
        ("routing.toml", 'priority = "urgent"', 'priority = "stat"', "exams[0].priority: expected one of"),
        ("routing.toml", 'code = "CSKUH", ', "", "exams[0]: expected exactly one of code and modalities"),
        ("routing.toml", 'modalities = ["CT"]', 'modalities = ["US"]', "exams[1].modalities: expected readable"),
    ],
)
def test_a_problem_names_file_key_and_expectation(
    tmp_path: Path, file: str, before: str, after: str, problem: str
) -> None:
    settings = write_region(tmp_path, "sqlite://")
    text = (tmp_path / file).read_text()
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after))
    problems = check_router_files(settings.file)
    assert any(problem in line for line in problems), problems
    assert all(line.startswith(str(tmp_path)) for line in problems)
    with pytest.raises(SettingsError):
        load_router_settings(settings.file)


def with_seeds(tmp_path: Path, **files: str) -> list[str]:
    """Problems of a region whose router file also names these."""
    settings = write_region(tmp_path, "sqlite://")
    names = {"pathways": "pathways.toml", "aid": "aid.toml", "codes": "RXN.csv"}
    for kind, text in files.items():
        (tmp_path / names[kind]).write_text(text)
    named = "".join(f', {kind} = "{names[kind]}"' for kind in files if kind != "codes")
    named += ', codes = { RXN = "RXN.csv" }' if "codes" in files else ""
    text = settings.file.read_text()
    settings.file.write_text(text.replace(' routing = "routing.toml"', f' routing = "routing.toml"{named}'))
    return check_router_files(settings.file)


CODES = "local_code,standard_code,standard_scheme,group,modality,subspecialty,minutes,pathway\n"


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"pathways": 'pathways = [{ id = "urgent", target_minutes = 60.0, weight = 1.0 }]'},
            "pathways[0].target_minutes: expected 1440, as the priority of this name in routing.toml, got 60",
        ),
        (
            {"pathways": 'pathways = [{ id = "s", target_minutes = 9, weight = 1, acute = true, may_wait = true }]'},
            "pathway s: acute reads never wait, so may_wait must be false",
        ),
        (
            {"aid": 'aid = [{ trust = "RXL", reads_for = ["ZZZ"] }]'},
            "aid[0].reads_for[0]: expected a trust of network.toml, got 'ZZZ'",
        ),
        ({"aid": 'aid = [{ trust = "ZZZ" }]'}, "aid[0].trust: expected a trust of network.toml, got 'ZZZ'"),
        ({"aid": 'aid = [{ trust = "RXL", reads_for = ["RXL"] }]'}, "a trust needs no agreement with itself"),
        ({"codes": CODES + "A,B,NICIP,g,CT,neuro,0,urgent\n"}, "RXN.csv: row 2: minutes: "),
        ({"codes": CODES + "A,B,NICIP,g,CT,neuro,1,urgent\nA,C,NICIP,g,CT,neuro,1,urgent\n"}, "has two targets"),
        ({"codes": CODES + "A,B,NICIP,g,CT,neuro,1,soon\n"}, "codes.RXN: expected pathways of "),
    ],
)
def test_pathways_aid_and_codes_are_checked_against_the_rest(
    tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    assert any(problem in line for line in with_seeds(tmp_path, **files))


def test_pathways_are_priorities_with_their_targets(tmp_path: Path) -> None:
    pathways = 'pathways = [{ id = "stroke", target_minutes = 90.0, weight = 10.0, acute = true }]'
    assert with_seeds(tmp_path, pathways=pathways, codes=CODES + "A,B,NICIP,g,CT,neuro,1,stroke\n") == []
    assert load_router_settings(tmp_path / "router.toml").routing.priorities["stroke"] == 1.5

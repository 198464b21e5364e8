"""How fast an ORU^R01 is parsed and four of its fields are read, on one core, beside the oracles `hl7` and `hl7apy`.

    python -m tests.bench.hl7_parsing [--messages N]

The message is a plain report of a page: MSH, PID, PV1, ORC, OBR, the study UID and twenty lines of text (2.6 KB).
The four fields: control id (MSH-10), NHS number (PID-3), accession number (ORC-3) and status (OBR-25).
"""

import argparse
import time
from collections.abc import Callable

import hl7
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from dicom_nodes.hl7.message import Message
from dicom_nodes.hl7.oru import read_oru as read_reports

LINES = [
    "MSH|^~\\&|READER|RXL|READACROSS|RXL|20260301100000||ORU^R01^ORU_R01|{control_id}|P|2.5.1||||||UNICODE UTF-8",
    "PID|1||9990000018^^^NHS^NH~H123456^^^RXN^MR^RXN||Testpatient^Siân^Łucja^^Mrs||19600203|F|||1 High St^^Preston",
    "PV1|1|O|XR^^^RXN||||C9990001^Referrer^Ann|||||||||||V1",
    "ORC|RE|P1|RXN000123^^^RXN||CM",
    "OBR|1|P1|REP1|CSKUH^CT Head^NICIP|||20260301090000|||||||||||||||20260301100000||CT|F|||||||C9991234&Okafor&Ada",
    "OBX|1|HD|113014^DICOM Study^DCM||2.25.311000000000000000000000000000000001||||||O",
    *(
        f"OBX|{n}|TX|18748-4^Diagnostic report^LN|{n}|Line {n}: no acute abnormality \\T\\ nothing < 5 mm ||||||F"
        for n in range(2, 22)
    ),
]
TEMPLATE = "".join(line + "\r" for line in LINES)


def message(number: int) -> bytes:
    return TEMPLATE.format(control_id=f"MSG{number:08d}").encode()


def ours(raw: bytes) -> tuple[str, str, str, str]:
    parsed = Message(raw)
    pid, orc, obr = parsed.first("PID"), parsed.first("ORC"), parsed.first("OBR")
    assert pid is not None
    assert orc is not None
    assert obr is not None
    return parsed.control_id, pid.value(3), orc.value(3), obr.value(25)


def oracle_hl7(raw: bytes) -> tuple[str, str, str, str]:
    parsed = hl7.parse(raw.decode())
    segment = parsed.segment
    return (
        str(parsed["MSH.F10"]),
        str(segment("PID")[3][0][0]),
        str(segment("ORC")[3][0][0]),
        str(segment("OBR")[25]),
    )


def oracle_hl7apy(raw: bytes) -> tuple[str, str, str, str]:
    parsed = parse_message(raw.decode(), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    return (
        parsed.msh.msh_10.to_er7(),
        parsed.pid.pid_3[0].cx_1.to_er7(),
        parsed.orc.orc_3.ei_1.to_er7(),
        parsed.obr.obr_25.to_er7(),
    )


def rate(parse: Callable[[bytes], object], messages: list[bytes]) -> float:
    started = time.perf_counter()
    for raw in messages:
        parse(raw)
    return len(messages) / (time.perf_counter() - started)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=40_000)
    count = arguments.parse_args().messages
    messages = [message(number) for number in range(count)]
    assert ours(messages[0]) == oracle_hl7(messages[0]) == oracle_hl7apy(messages[0])
    print(f"{count} messages of {len(messages[0])} bytes, {len(LINES)} segments; messages a second, best of three:")
    runs: list[tuple[str, Callable[[bytes], object], int]] = [
        ("readacross, four fields", ours, count),
        ("readacross, the whole report", read_reports, count // 10),
        ("hl7, four fields", oracle_hl7, count // 40),
        ("hl7apy, four fields", oracle_hl7apy, count // 400),
    ]
    for name, parse, some in runs:
        best = max(rate(parse, messages[:some]) for _ in range(3))
        print(f"  {name:32} {best:10,.0f}")


if __name__ == "__main__":
    main()

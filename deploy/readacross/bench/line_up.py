"""Which contestants take part: chosen by name, looked for on the machine, and named when they are missing."""

from collections.abc import Callable, Iterable, Mapping

from readacross.bench.contestants import Contestant, NotInstalled
from readacross.bench.dcmtk_contestants import Dcmqrscp, Storescp
from readacross.bench.node_contestant import OurNode
from readacross.bench.orthanc_contestant import Orthanc
from readacross.bench.pynetdicom_contestant import Pynetdicom
from readacross.bench.results import Result
from readacross.bench.trust_file import Forwarding

Settings = Mapping[str, str]

_MAKERS: dict[str, Callable[[Settings], Contestant]] = {
    "node": lambda settings: OurNode(Forwarding.PAUSED, settings),
    "node-steady": lambda settings: OurNode(Forwarding.PAUSED, settings, keeps_running=True),
    "node-embedded": lambda settings: OurNode(Forwarding.EMBEDDED, settings),
    "node-open": lambda settings: OurNode(Forwarding.OPEN, settings),
    "node-1-receiver": lambda settings: OurNode(Forwarding.PAUSED, settings, receivers=1),
    "node-2-receivers": lambda settings: OurNode(Forwarding.PAUSED, settings, receivers=2),
    "storescp": lambda _settings: Storescp(),
    "dcmqrscp": lambda _settings: Dcmqrscp(),
    "orthanc": lambda _settings: Orthanc(),
    "pynetdicom": lambda _settings: Pynetdicom(),
    "pynetdicom-chunked": lambda _settings: Pynetdicom(chunked=True),
}
NAMES = tuple(_MAKERS)


def line_up(names: Iterable[str], settings: Settings, result: Result) -> list[Contestant]:
    """The contestants of these names; versions, and who is missing, are noted in `result`."""
    present: list[Contestant] = []
    for name in names:
        contestant = _MAKERS[name](settings)
        try:
            result.versions[contestant.name] = contestant.version()
        except NotInstalled as missing:
            result.left_out[contestant.name] = str(missing)
        else:
            present.append(contestant)
    return present

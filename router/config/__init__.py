"""The router's settings file and its seeds, read once at start: the only reader of them.

Seed files describe the network (`network.toml`), who reads (`readers.toml`), what becomes of an exam (`routing.toml`,
`codes/*.csv`), how soon (`pathways.toml`) and what trusts read for each other (`aid.toml`). They are checked against
each other here, so that a reader at an unknown node never starts.
"""

from router.config.loading import check_router_files, load_router_settings
from router.config.network import ANSWERING_CHANNELS, NodeSeed, ReturnsSeed, TrustSeed
from router.config.readers import ProfessionName, ReaderSeed, ReadersFile, Registration, SessionKindName, SessionSeed
from router.config.router_file import Router
from router.config.routing import ExamRule, RoutingFile
from router.config.settings import RouterSettings

__all__ = [
    "ANSWERING_CHANNELS",
    "ExamRule",
    "NodeSeed",
    "ProfessionName",
    "ReaderSeed",
    "ReadersFile",
    "Registration",
    "ReturnsSeed",
    "Router",
    "RouterSettings",
    "RoutingFile",
    "SessionKindName",
    "SessionSeed",
    "TrustSeed",
    "check_router_files",
    "load_router_settings",
]

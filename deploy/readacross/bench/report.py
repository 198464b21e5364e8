"""Which tables a result has."""

from readacross.bench.neighbours import neighbours_tables
from readacross.bench.other_tables import associations_tables, find_tables
from readacross.bench.plan_tables import plan_tables
from readacross.bench.region_tables import region_tables
from readacross.bench.results import Result
from readacross.bench.retrieve_tables import retrieve_tables
from readacross.bench.store_tables import store_tables
from readacross.bench.tables import Table

_MAKERS = {
    "store": store_tables,
    "disk": store_tables,
    "retrieve": retrieve_tables,
    "find": find_tables,
    "associations": associations_tables,
    "neighbours": neighbours_tables,
    "plan": plan_tables,
    "region": region_tables,
}


def tables_of(result: Result) -> list[Table]:
    """The tables of a measurement."""
    return _MAKERS[result.bench](result)

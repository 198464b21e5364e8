"""The rolling-horizon plan: a min-cost flow of minutes from class and due block to reader group and time block.

Only what it plans for the first block is used, as a bonus on the index. Without ortools, or when the solver finds no
optimum, there is no bonus and the index runs alone.
"""

from dataclasses import dataclass

import numpy as np

from router.rules.planning.arrays import Bonus, FloatArray, ForecastArrays, IntArray, PlanningProblem, SessionArrays
from router.rules.planning.flow_groups import ReaderGroups, considered, groups_of_readers
from router.rules.planning.flow_sources import Sources, delay_cost, edges_of, sources_of
from router.rules.planning.tuning import Tuning

try:
    from ortools.graph.python.min_cost_flow import SimpleMinCostFlow
except ImportError:  # the index runs alone
    SimpleMinCostFlow = None

_COST_UNIT = 1e-3
"""The solver takes whole numbers: a weight of one breach, a minute, in thousandths."""
_LARGEST_COST = 10**9


@dataclass(frozen=True, slots=True)
class _Network:
    """Arcs tail → head with capacity and cost; `read_now` and `pair_now` are those of the first block."""

    tail: IntArray
    head: IntArray
    capacity: IntArray
    cost: IntArray
    supply: IntArray
    read_now: IntArray
    pair_now: IntArray


def plan_flow(
    problem: PlanningProblem, sessions: SessionArrays, forecast: ForecastArrays, tuning: Tuning
) -> Bonus | None:
    """What should be read in the first block, and by whom; None when nothing can be planned.

    `sessions` are those until the horizon (the sum of `tuning.blocks_min`), open ones included.
    """
    edges = edges_of(problem.now_min, tuning)
    sources = sources_of(problem, forecast, tuning)
    groups = groups_of_readers(problem, sessions, edges)
    if SimpleMinCostFlow is None or not len(sources.minutes) or not groups.capacity.sum():
        return None
    classes, position = np.unique(sources.exam_class, return_inverse=True)
    pairs = considered(groups, classes, tuning)
    network = _network(sources, position, groups, classes, pairs, edges, tuning)
    flows = _solved(network)
    return None if flows is None else _bonus(problem, tuning, sources, groups, classes, pairs, network, flows)


def _network(
    sources: Sources,
    position: IntArray,
    groups: ReaderGroups,
    classes: IntArray,
    pairs: tuple[IntArray, IntArray],
    edges: FloatArray,
    tuning: Tuning,
) -> _Network:
    """Nodes: sources, then class x block, then group x block, then one sink that also takes what is left for later."""
    blocks, count = len(edges) - 1, len(sources.minutes)
    supply = np.maximum(np.rint(sources.minutes), 1).astype(np.int64)
    class_node = count
    group_node = class_node + len(classes) * blocks
    sink = group_node + len(groups.capacity) * blocks
    delay = delay_cost(sources, edges, tuning)
    source, read_block = np.nonzero(np.isfinite(delay[:, :-1]))
    middle, group = (np.repeat(part, blocks) for part in pairs)
    pair_block = np.tile(np.arange(blocks), len(pairs[0]))
    slower = _slowness_cost(sources, groups, classes[pairs[0]], pairs[1])
    room = np.rint(groups.capacity).astype(np.int64)
    staffed, staffed_block = np.nonzero(room)
    middle_node, group_there = class_node + middle * blocks + pair_block, group_node + group * blocks + pair_block
    read_node = class_node + position[source] * blocks + read_block
    staffed_node = group_node + staffed * blocks + staffed_block
    everybody = np.full(len(middle), supply.sum())
    to_sink = np.full(len(staffed) + count, sink)
    costs = (delay[source, read_block], np.repeat(slower, blocks), np.zeros(len(staffed)), delay[:, -1])
    return _Network(
        tail=np.concatenate([source, middle_node, staffed_node, np.arange(count)]),
        head=np.concatenate([read_node, group_there, to_sink]),
        capacity=np.concatenate([supply[source], everybody, room[staffed, staffed_block], supply]),
        cost=np.minimum(np.rint(np.concatenate(costs) / _COST_UNIT), _LARGEST_COST).astype(np.int64),
        supply=np.concatenate([supply, np.zeros(sink - count, np.int64), [-supply.sum()]]),
        read_now=np.flatnonzero(read_block == 0),
        pair_now=len(source) + np.flatnonzero(pair_block == 0),
    )


def _slowness_cost(sources: Sources, groups: ReaderGroups, exam_class: IntArray, group: IntArray) -> FloatArray:
    """What a slower reader's extra minutes are worth, at the mean worth of a minute."""
    worth = float((sources.density * sources.minutes).sum() / sources.minutes.sum())
    return np.asarray(worth * (1.0 / groups.speed[group, exam_class] - 1.0 / groups.speed.max()))


def _solved(network: _Network) -> IntArray | None:
    solver = SimpleMinCostFlow()
    solver.add_arcs_with_capacity_and_unit_cost(network.tail, network.head, network.capacity, network.cost)
    solver.set_nodes_supplies(np.arange(len(network.supply)), network.supply)
    if solver.solve() != solver.OPTIMAL:
        return None
    return np.asarray(solver.flows(np.arange(len(network.tail))), np.int64)


def _bonus(
    problem: PlanningProblem,
    tuning: Tuning,
    sources: Sources,
    groups: ReaderGroups,
    classes: IntArray,
    pairs: tuple[IntArray, IntArray],
    network: _Network,
    flows: IntArray,
) -> Bonus:
    planned = np.zeros((len(groups.capacity), len(problem.classes.origin)), np.bool_)
    chosen = flows[network.pair_now] > 0
    planned[pairs[1][chosen], classes[pairs[0][chosen]]] = True
    pair = np.where(planned[groups.of] & (groups.of >= 0)[:, None], np.log(tuning.planned_pair_gain), 0.0)
    now = network.tail[network.read_now[flows[network.read_now] > 0]]
    pathways = int(max(problem.waiting.pathway.max(initial=0), sources.pathway.max(initial=0))) + 1
    until = np.full((len(problem.classes.origin), pathways), -np.inf)
    np.maximum.at(until, (sources.exam_class[now], sources.pathway[now]), sources.due_min[now])
    return Bonus(pair, until, float(np.log(tuning.planned_read_gain)))

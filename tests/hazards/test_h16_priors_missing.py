"""Hazard 16, priors are missing: found, none and unreachable are told apart.

Control: what the router knows of the patient is ordered with the images; a prior whose node is silent, or that could
not be brought, is unreachable, and "none" is said only while every node is heard (DESIGN.md promise 9).
"""

from tests.integration.router.region import Region, settled
from tests.integration.router.rule_region import Administrators
from tests.integration.router.test_priors import CT_HEADS, STRANGER, current, states, with_priors


def test_no_prior_is_none_only_while_every_node_is_heard(sqlite_region: Region) -> None:
    region = sqlite_region
    Administrators(region).active(CT_HEADS)
    region.rxl.post()
    region.assign()
    told = current(region)["priors"]
    assert (told["outcome"], told["not_heard"]) == ("none", [])
    assert "priors.none" in region.events()
    region.clock.pass_s(400)
    region.rxn.say(settled("1.2.5", patient=STRANGER))
    region.plan()
    told = current(region)["priors"]
    assert (told["outcome"], told["studies"], told["not_heard"]) == ("unreachable", [], ["RXL"])
    assert "priors.unreachable" in region.events("1.2.5")


def test_a_prior_at_a_node_that_is_silent_is_unreachable_until_it_came(sqlite_region: Region) -> None:
    region = sqlite_region
    with_priors(region)
    region.clock.pass_s(400)
    region.rxl.post()
    assert states(current(region)) == {"1.9.4": "ordered", "1.9.1": "unreachable"}
    region.bring_images()
    assert states(current(region)) == {"1.9.4": "delivered", "1.9.1": "delivered"}

"""How a node is, in sentences: shown to administrators by the router and by the node's own page."""

from dataclasses import dataclass

from dicom_nodes.contract import NodeHealth


@dataclass(frozen=True, slots=True)
class Vitals:
    """What health is judged by."""

    free_bytes: int
    reserve_bytes: int
    catalogue_failing: bool
    uncatalogued: int
    stopped_parts: tuple[str, ...]
    """Threads of the node that ought to run and do not."""
    refused_for: str | None
    """Why an instance was refused for want of resources within the last minute, if one was."""
    router_silent_s: float
    damaged_objects: int
    parked_jobs: int
    quarantined: int
    outbox_depth: int
    outbox_oldest_s: float
    certificate_days_left: float | None = None
    """Until our TLS certificate is no longer valid; None without TLS."""
    room_shortage: str | None = None
    """Why the spool has not the room that is wished for, in a sentence."""

    receivers_away: int = 0
    """How many of the processes that serve the DICOM ports do not listen."""
    nobody_listens: bool = False
    """Whether that is all of them."""
    overdue_steps: int = 0
    """Scheduled examinations that are no longer listed, because nobody began or cancelled them for too long."""


CERTIFICATE_WARNING_DAYS = 30.0
OUTBOX_ALARM_S = 300.0
ROUTER_ALARM_S = 60.0


def judge(vitals: Vitals) -> NodeHealth:
    """State and reasons; `refusing` means instances are answered with A700."""
    no_room = vitals.free_bytes < vitals.reserve_bytes
    refusing = no_room or vitals.refused_for is not None or vitals.nobody_listens
    reasons = []
    if vitals.stopped_parts:
        reasons.append(f"Parts of the node have stopped: {', '.join(vitals.stopped_parts)}. Restart it.")
    if vitals.receivers_away:
        reasons.append(f"{vitals.receivers_away} of the node's receivers have ended and do not listen yet.")
    if no_room:
        free_mib, reserve_mib = vitals.free_bytes >> 20, vitals.reserve_bytes >> 20
        reasons.append(f"Disk reserve reached: {free_mib} MiB free, {reserve_mib} MiB kept; images are refused (A700).")
    if vitals.room_shortage is not None:
        reasons.append(vitals.room_shortage)
    if vitals.catalogue_failing:
        reasons.append("The catalogue cannot be written; images are safe in the spool but wait to be archived.")
    elif vitals.refused_for is not None:
        reasons.append(f"Images were refused (A700) within the last minute: {vitals.refused_for}.")
    if vitals.uncatalogued:
        reasons.append(f"{vitals.uncatalogued} instances are in the spool but cannot be catalogued; see the log.")
    if vitals.router_silent_s > ROUTER_ALARM_S:
        reasons.append(f"The router has not answered for {vitals.router_silent_s:.0f} s.")
    if vitals.damaged_objects:
        reasons.append(f"{vitals.damaged_objects} objects in the spool are damaged: see `readacross spool damaged`.")
    if vitals.parked_jobs:
        reasons.append(f"{vitals.parked_jobs} jobs are parked and wait for a person.")
    if vitals.quarantined:
        reasons.append(f"{vitals.quarantined} instances are in quarantine and wait for a person.")
    if vitals.overdue_steps:
        reasons.append(
            f"{vitals.overdue_steps} examinations were neither begun nor cancelled long after their day and have left "
            "the worklist; cancel them in the RIS or order them anew."
        )
    if vitals.outbox_oldest_s > OUTBOX_ALARM_S:
        reasons.append(f"Facts have been waiting for the router for {vitals.outbox_oldest_s:.0f} s.")
    if vitals.certificate_days_left is not None and vitals.certificate_days_left < CERTIFICATE_WARNING_DAYS:
        reasons.append(certificate_words(vitals.certificate_days_left))
    return NodeHealth(
        state="refusing" if refusing else "degraded" if reasons else "ok",
        reasons=tuple(reasons),
        free_bytes=vitals.free_bytes,
        parked_jobs=vitals.parked_jobs,
        quarantined=vitals.quarantined,
        outbox_depth=vitals.outbox_depth,
        outbox_oldest_s=vitals.outbox_oldest_s,
    )


def certificate_words(days_left: float) -> str:
    """What is wrong with a certificate that ends so soon."""
    if days_left <= 0:
        return "The node's TLS certificate has expired: partners refuse it. Install a new one; no restart is needed."
    return f"The node's TLS certificate ends in {days_left:.0f} days. Install a new one; no restart is needed."

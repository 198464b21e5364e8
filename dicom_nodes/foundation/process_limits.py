"""What a process may have open, and how much each of its threads reserves: set once, where a process begins."""

import resource
import threading

_MOST_DESCRIPTORS = 65_536
_STACK_BYTES = 1 << 20
"""Less than a huge page (2 MiB), which the kernel would otherwise give to every thread's stack at its first touch."""


def prepare_for_many_connections() -> int:
    """Let this process hold as many descriptors as it is allowed; returns how many those are."""
    threading.stack_size(_STACK_BYTES)
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _MOST_DESCRIPTORS)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return most_descriptors()


def most_descriptors() -> int:
    """How many descriptors this process may hold."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_DESCRIPTORS if allowed == resource.RLIM_INFINITY else allowed

"""The steps that no index can cross, and how exactly indices are compared."""

TIER = 1e8
"""Added to acute reads: above any index."""
LAST_RESORT = 1e6
"""Taken off where the reader had the read before and did not finish it: behind everybody else, before nobody."""
QUEUE = 1e3
"""Taken off for each read that a reader has to do before; less than a thousand of them reach `LAST_RESORT`."""
DECIMALS = 6
"""What is nearer than this is equal, so that the order of sums decides nothing."""

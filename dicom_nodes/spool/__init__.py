"""Where a node keeps things: the spool's objects, the catalogue derived from them, the outbox and the orders."""

"""What decides: pure functions of (facts, policy, now). No database, no clock, no network."""

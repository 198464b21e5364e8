"""What a node decides: pure functions from facts, policy and time to a decision."""

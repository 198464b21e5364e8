"""Studies for tests."""

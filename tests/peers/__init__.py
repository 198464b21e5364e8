"""Real partners for tests: other people's programs, on loopback, on free ports, stopped by their handle."""

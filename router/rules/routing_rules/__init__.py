"""Routing rules in CEL: what they may say, whether a text of them can be used, and what they decide of a study."""

"""Weeks of a region in seconds: the rules and the plan of production beside what a region could have instead."""

"""The routing service of an imaging network. It decides; pixels never pass through it."""

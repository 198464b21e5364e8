"""The router's API. It parses, authenticates and shows; what happens is decided in `router.flows`."""

"""The node's line to the router, which it dials itself, and the page on which it says how it is."""

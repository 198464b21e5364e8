"""The `readacross` command: the only place that knows both the node and the router."""

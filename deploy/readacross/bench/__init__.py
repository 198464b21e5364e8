"""`readacross bench`: the node and other people's programs doing the same work on this machine, one after the other."""

"""What a node does, step by step, in terms of ports: no wire, no database, no framework here."""

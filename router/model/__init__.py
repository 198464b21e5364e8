"""What the router thinks in: trusts, readers, sessions, studies, reads, reports. Standard library only."""

"""A region on loopback: the real router and nodes, with a modality, a workstation, a reader and a RIS around them."""

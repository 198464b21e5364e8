"""The node that stands in front of one trust's PACS. It survives alone: it never imports the router."""

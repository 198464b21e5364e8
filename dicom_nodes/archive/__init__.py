"""The trust's own PACS, in three kinds: reached by C-STORE, an Orthanc reached by REST, a folder of files."""

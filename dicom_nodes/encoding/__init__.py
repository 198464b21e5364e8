"""The encoding of data sets (DICOM PS3.5): walking their structure and reading the few attributes a node needs."""

"""Several processes on one DICOM port: what the main process and its receivers say to each other (ADR 053)."""

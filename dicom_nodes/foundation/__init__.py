"""The ground node and router both stand on: settings files, database, leased jobs, event log, clock.

It knows nothing of DICOM, of reads or of reports, and imports neither of its users (ADR 002).
"""

"""The DICOM wire of a node: who may call, what is answered, and how partners are called.

Only `pynetdicom_*.py` know the library; handlers and requesters speak the neutral words of `messages.py`, so that
the upper layer can be replaced without touching them (ADR 030).
"""

"""FHIR R4 at the router's edge."""

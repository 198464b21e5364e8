"""Channels by which people are told of alerts; each implements `router.flows.alert_ports.AlertChannel`."""

"""Scenarios of chips on boards."""

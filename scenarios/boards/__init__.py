"""Chips on boards: the bench of a scenario, simulated boards, and counts of their lines."""

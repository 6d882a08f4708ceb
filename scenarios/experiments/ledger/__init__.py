"""Figures of the ledger: of one result, and of two side by side."""

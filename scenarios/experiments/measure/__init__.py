"""Gradients against the exact ones, and the ledger of their error: everything of this kind of experiment."""

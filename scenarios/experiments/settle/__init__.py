"""Settling curves: everything of this kind of experiment."""

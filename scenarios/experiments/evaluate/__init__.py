"""Accuracy over fabricated chips: everything of this kind of experiment."""

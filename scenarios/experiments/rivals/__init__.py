"""Trainings of several rules at equal budget: everything of this kind of experiment."""

"""The best nudge of one chip: everything of this kind of experiment."""

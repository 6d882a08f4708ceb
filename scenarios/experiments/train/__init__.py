"""A training through the measurements of the chip: everything of this kind of experiment."""

"""The kinds of experiment, one folder each."""

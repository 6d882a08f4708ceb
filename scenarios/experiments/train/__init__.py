"""Train a chip: run, checkpoint, tables, figures."""

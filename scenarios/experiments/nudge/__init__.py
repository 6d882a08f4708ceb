"""Compare nudges at equal cost: run, tables, figures, words."""

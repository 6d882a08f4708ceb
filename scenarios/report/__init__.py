"""A result as figures, tables, sentences and a page."""

"""The look of figures and pages; knows no result."""

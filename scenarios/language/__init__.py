"""How scenario files are read, checked, and explained when they are wrong."""

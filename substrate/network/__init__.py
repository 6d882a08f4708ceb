"""Layers, connections, and products with their weights."""

"""Run one scenario: identity, folder, result."""

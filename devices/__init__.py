"""What one component does, good or bad: pure laws and their parameters."""

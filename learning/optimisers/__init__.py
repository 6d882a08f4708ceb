"""From gradients to writes: optimisers, schedules, caps on singular values."""

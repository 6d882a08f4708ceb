"""Learning rules: from measured phases to requests for the weights."""

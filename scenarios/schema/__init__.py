"""What a scenario can say."""

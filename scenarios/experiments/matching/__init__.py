"""The matching rule beside drawn chips: run and figure."""

"""The bench itself: devices wired together, and what an experimenter does with them."""

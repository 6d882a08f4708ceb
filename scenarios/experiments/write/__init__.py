"""A window of requests written under several policies: everything of this kind of experiment."""

"""Following a network in time, and finding where it rests."""

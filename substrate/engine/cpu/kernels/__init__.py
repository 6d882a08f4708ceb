"""What is compiled: settlings and pulses on tiles and rows of plain arrays."""

"""A chip on a board: six primitives, the lines that carry them, and the bench that experiments see."""

"""Small colour pictures, 32 x 32: published files, how they are kept, and how a network is shown them."""

"""What brings a copied network back on a chip that is only measured: trims of rows, and training of chosen cells."""

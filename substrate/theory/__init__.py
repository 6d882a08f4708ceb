"""Oracle side: the linear algebra of a network at rest."""

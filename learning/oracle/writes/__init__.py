"""Oracle side: what becomes of the requests of many batches, term by term, under several write policies."""

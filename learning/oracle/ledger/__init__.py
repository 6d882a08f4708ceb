"""Oracle side: the bias ledger, which tells the causes of an error apart."""

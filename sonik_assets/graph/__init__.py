"""FalkorDB: the three graphs as projections of `unified.*`. Truth stays in PostgreSQL."""

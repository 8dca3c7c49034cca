"""Stage 6: documents made from `unified.*`, embedded, kept in LanceDB with a full-text index."""

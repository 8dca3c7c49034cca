"""The asset graph: one package a stage, read top to bottom as the data flows."""

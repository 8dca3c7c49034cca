"""Stage 2: who is who. Identifiers, deterministic linking and ids that never change.

`assets.py` and `checks.py` are Dagster; every other module is pure but `resolve.py`, which reads and writes.
"""

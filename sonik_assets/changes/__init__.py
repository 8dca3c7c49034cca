"""The change feed: what changed in `unified`, from PostgreSQL's log, for every store that follows it (docs/changes.md).

Which keys changed is told here, in batches; what is in a store, and how it is written, is the store's own.
"""

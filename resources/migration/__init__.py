"""Moving a database from an older PostgreSQL to a newer one: report, move, verify.

`report.check` compares, `move.move` moves or goes on with a move, `move.verify_only` compares the rows.
"""

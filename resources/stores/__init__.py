"""How to reach each store, and how its tables look. What is written to it belongs to the stages."""

import os

# LanceDB's warnings go to stderr, one for each query that asks for row numbers only; it reads this when it is first
# imported, by whichever module here.
os.environ.setdefault("LANCEDB_LOG", "error")

"""Sample exports and their generator; see README.md. The platform reads the files, imports nothing."""

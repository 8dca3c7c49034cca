"""One module a trigger. A sensor asks cheaply what changed and requests exactly the runs that follow."""

"""Stage 1, raw: what the sources say, verbatim, in the lake and in `raw_<source>.<table>`."""

"""Benchmarks: each has its yardstick in the same run, because seconds on a busy machine mean little, ratios more."""

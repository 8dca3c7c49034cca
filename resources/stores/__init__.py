"""stores readers and clients."""

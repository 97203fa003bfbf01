"""One small router a capability."""

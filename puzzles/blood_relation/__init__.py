"""Blood relations."""

"""Questions that wait to be asked: their SQLite file, and what refills it."""

"""Truth-tellers and liars."""

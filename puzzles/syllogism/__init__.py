"""Syllogisms."""

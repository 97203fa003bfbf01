"""Matching people with attributes."""

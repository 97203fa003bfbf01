"""Benchmarks: each module prints one JSON document on stdout, and its aims and progress on stderr."""

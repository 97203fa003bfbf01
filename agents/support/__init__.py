"""Helpers without a home of their own: atomic files, settings, errors of the command line."""

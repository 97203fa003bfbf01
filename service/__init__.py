"""The HTTP service: a loaded ensemble behind POST /answer."""

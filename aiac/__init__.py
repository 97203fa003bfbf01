"""The command line over agents, training and service."""

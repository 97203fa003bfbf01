"""Shared parts of training: statistics, disk, devices, processes."""

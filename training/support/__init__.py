"""Shared parts of training: statistics, disk, devices, the plain model."""

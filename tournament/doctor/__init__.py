"""The examination of a submission folder or a service before a tournament: faults, each with its fix."""

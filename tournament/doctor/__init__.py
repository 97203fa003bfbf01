"""The examination of a submission folder or a service before a tournament: what is wrong, and what mends it."""

"""One sub-command of `aiac` a file."""

"""The folder that the organisers collect: what goes into it, how it is written, and whether it still is what it was."""

"""The model store: which models there are, where their weights come from, and checkpoints ready to load."""

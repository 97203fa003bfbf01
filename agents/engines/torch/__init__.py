"""The embedded engine: a checkpoint through PyTorch and transformers, in this process."""

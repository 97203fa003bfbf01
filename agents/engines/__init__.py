"""A model behind one small protocol: token ids in, numbers or token ids out."""

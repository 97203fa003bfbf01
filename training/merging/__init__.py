"""The parts of ``training.merging.merge``: adapters read as factors, ways to combine them, results, and their check."""

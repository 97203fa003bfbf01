"""The parts of ``training.merge``: adapters read as factors, ways to combine them, results, and their check."""

"""How an agent thinks: questions in, distributions over choices out. Importing it needs no torch, vLLM or FastAPI."""

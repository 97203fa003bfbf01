"""The remote engine: vLLM servers over HTTP, balanced, retried and hedged."""

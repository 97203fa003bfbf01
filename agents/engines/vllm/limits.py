"""Limits of vLLM that bind a server of it, an engine in this process, and what is trained for either."""

LEAST_VERSION = "0.20"
"""The first version whose ``SamplingParams`` have ``logprob_token_ids``. Over HTTP that takes 0.26."""
MAX_CANDIDATES = 128
"""The most token ids that log-probs are returned of in one request."""
RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What it takes as ``max_lora_rank``: an adapter is served at the least of these that holds its rank."""

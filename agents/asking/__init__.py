"""The Q-Agent: drafts pass the gates into the pool, and questions leave it."""

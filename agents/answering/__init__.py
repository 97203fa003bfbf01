"""The A-Agent: members vote on a question until its deadline."""

"""The arena: matches between any two agents under an edition's rules, with a referee that keeps its own clock."""

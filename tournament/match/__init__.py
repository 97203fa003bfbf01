"""One match: its events, referee, scoring and scoreboard."""

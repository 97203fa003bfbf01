"""What `make bench` runs: each module prints one JSON document, and what it means on stderr."""

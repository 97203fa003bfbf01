"""Linear and circular seating."""

"""From question data to a checked ensemble: validation, fitting, export."""

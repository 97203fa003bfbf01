"""Number, letter and mixed series."""

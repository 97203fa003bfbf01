"""From trained members to a released ensemble: scored, judged, fitted, probed."""

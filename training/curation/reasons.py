"""Why a row is left out, in the order in which it is found out. Reasons that a source gives itself come before."""

EXACT_DUPLICATE = "exact duplicate"
CONTRADICTION = "same question, other key"
CONTAMINATED = "in an evaluation file"
NEAR_DUPLICATE = "near duplicate"
NOT_DRAWN = "not drawn"

REASONS = (EXACT_DUPLICATE, CONTRADICTION, CONTAMINATED, NEAR_DUPLICATE, NOT_DRAWN)

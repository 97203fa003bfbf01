"""From a manifest to an ensemble that answers: weights, placement, engines, supervision."""

"""What a run trains on, in which order and at which learning rate."""

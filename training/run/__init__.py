"""One member's training run: inputs, trainer, guards' callback, log, report."""

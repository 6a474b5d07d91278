"""Evidence that may be looked at after every replicate: e-processes and confidence sequences."""

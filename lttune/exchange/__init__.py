"""What leaves a study and comes back: tickets as tensors, studies as databases and tables."""

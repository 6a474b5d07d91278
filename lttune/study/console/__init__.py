"""What a person reads while a study runs and when it has ended."""

"""What a study's own question asks for, and the sentences that answer it."""

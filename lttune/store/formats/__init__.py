"""What kinds of files hold, read strictly and in memory that follows their bytes."""

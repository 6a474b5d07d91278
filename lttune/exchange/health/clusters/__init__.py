"""What files that start a cluster leave open or forget, a table of rules for each kind of file."""

"""What is on the disk and safe there: atomic files, and cells that are sealed or not there."""

"""What is written down of a study: rows, layers, trials; and the numbers a trial is judged by."""

"""What a command prints besides its result: its help, its steps, what nobody may read."""

"""Where the bytes of pictures come from: downloads, packages, archives and their formats."""

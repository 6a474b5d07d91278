"""The paper's loop, the branches that leave it, and each network trained once."""

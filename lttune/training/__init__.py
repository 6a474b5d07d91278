"""How a masked network is trained: the protocol of every training, and the engines under it."""

"""What is measured of networks beside accuracy: their weights by layer, and what users ask for."""

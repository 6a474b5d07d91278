"""Tables of a study's records, one noun each; figures draw them."""

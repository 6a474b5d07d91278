"""Rules for claims whose replicates are added until they are decided."""

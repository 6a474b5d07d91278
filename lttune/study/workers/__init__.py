"""Ray: the cluster, its workers, and the trainable that each of them is."""

"""What is done with finished calls: metrics, the local store, and the second door for spans of others."""

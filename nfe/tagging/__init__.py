"""Tags of faces: a small network, its training, Illustration2Vec's calls, attributes."""

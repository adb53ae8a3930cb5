"""Style-based generative adversarial networks: layers, networks, losses, training, storage."""

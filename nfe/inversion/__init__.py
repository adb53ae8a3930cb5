"""Pictures to codes: encoders, their training, and optimisation of codes."""

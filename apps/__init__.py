"""What a person runs. No computation."""

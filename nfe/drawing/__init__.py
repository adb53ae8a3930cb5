"""Anime faces and scenes drawn from vector shapes, with known attributes."""

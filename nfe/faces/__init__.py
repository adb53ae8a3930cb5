"""Faces in pictures: finding, aligning, pasting back, choosing."""

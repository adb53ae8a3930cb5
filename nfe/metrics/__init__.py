"""Measures of distributions, reconstructions and edits."""

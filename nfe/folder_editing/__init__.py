"""Editing folders of picture files."""

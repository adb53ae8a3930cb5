"""Prefect flows: the pipeline over DVC's graph."""

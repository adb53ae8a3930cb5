"""The library: values in, values out. Knows no Prefect, DVC, YAML, command line or project path."""

"""One module per stage: read its inputs, call nfe, write its outputs, report numbers."""

"""The page of `nfe ui`: one file per tab."""

"""The parts of the command `nfe bot`: one file each for the keyboard, the limits and the rest."""

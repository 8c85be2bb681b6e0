"""Second moments of files larger than memory, piece by piece."""

"""Mathematics that several theorems rest on: what is read off a case, and counted."""

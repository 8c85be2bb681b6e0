"""Theory beside motion: what is promised, set next to what happens."""

"""How conservation laws are counted."""

"""How a saddle is read and left."""

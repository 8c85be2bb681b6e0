"""What critical points are made of: coordinates, normal form, segments."""

"""What Hessians and their closed forms are made of."""

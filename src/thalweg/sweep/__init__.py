"""Many runs at once: designs, searches, engines, one table."""

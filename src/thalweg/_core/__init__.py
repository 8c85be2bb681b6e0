"""What every room stands on: errors, outcomes, shelves, sources, storage."""

"""Benchmarks of record: ours and the rival in one run, after both agree."""

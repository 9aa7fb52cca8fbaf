"""Import of files that offices hand over: reading, columns, checks, refusals, loading, and one file a kind of row."""

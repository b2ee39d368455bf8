"""What a user declares: its schema, loading it from TOML or Python, its defaults, and checking it."""

"""What every test shares: repeatable randomness."""

from hypothesis import settings

# The same examples on every run and every machine; a failure names the one that was found. Slow machines are no failures.
settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("repeatable")

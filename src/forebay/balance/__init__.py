"""Job one, load balancing: which policies there are and what each picks. Pure: time and randomness are arguments."""

from forebay.balance.policies import DEFAULT, POLICIES, Policy, parse

__all__ = ["DEFAULT", "POLICIES", "Policy", "parse"]

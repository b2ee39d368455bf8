"""The HTTP API of a running gateway: the only channel by which a command or a person reaches it."""

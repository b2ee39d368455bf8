"""Job two, failover: which endpoint may serve, and when a request is repeated. Pure: time, randomness and observations are arguments."""

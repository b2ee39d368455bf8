"""The one loop that observes, decides and publishes; the names it looks up; where a gateway keeps its state."""

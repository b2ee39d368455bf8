"""What happened and why: causes, counters, histograms, and the document that status shows."""

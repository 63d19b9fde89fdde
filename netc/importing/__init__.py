"""Models that exist, as specs: read, written as text, and proved to be the same."""

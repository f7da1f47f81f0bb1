"""HTML pages of notes."""

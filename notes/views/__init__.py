"""API views: `notes`, `labels` and `takeout` (import and export)."""

"""API views: `uploads`, `rows` (contacts and waiting rows) and `exports`."""

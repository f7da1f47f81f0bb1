"""HTML pages of contacts, and what their scripts need besides the API."""

"""Code that all API endpoints share.

Errors, JSON, pagination, filters, throttles, idempotency keys and the OpenAPI description.
"""

"""Middlewares, error pages, health checks and the landing page.

Request log, metrics, Content-Security-Policy, Content-Length, redirects, cached public reads, static files.
"""

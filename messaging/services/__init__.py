"""Every write of messaging, one module for each topic."""

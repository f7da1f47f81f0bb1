"""The API of accounts, ``/api/v1/auth/``: one module for each topic."""

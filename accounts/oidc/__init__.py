"""The OpenID Connect provider: discovery, requests to it, and checks of its answers. Nothing here knows users."""

"""Writes about second factors: setting them up, confirming a sign-in with them, removing them."""

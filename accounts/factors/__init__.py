"""Second factors without the writes: the policy, codes of authenticator apps, passkeys, and recovery codes."""

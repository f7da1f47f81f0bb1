"""Every write. A module for each kind, all of them through ``access``, which locks, asks for the role and announces."""

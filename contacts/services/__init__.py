"""Every write of this app: creating uploads, importing their rows, the window, and releasing waiting rows."""

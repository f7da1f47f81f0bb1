"""Every write of trends: `editing` single trends, `imports` starts an import, `import_runner` is what a worker does."""

"""The first page of the admin: health, figures, failed jobs, queues, imports, sign-ins; and the sidebar."""

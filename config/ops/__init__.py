"""Code that runs Atrium but is not part of the service.

The launcher with its embedded servers, the command line of each process, backups, the Postman collection.
"""

"""The HTML pages of accounts: sign-in, the account page, and the pages behind mailed links."""

"""The authentication methods in the OpenAPI schema."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from config.api.scopes import SCOPES, needed_scopes


class SessionTokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.SessionTokenAuthentication"
    name = ["bearer", "personalToken"]

    def get_security_definition(self, auto_schema: Any) -> Any:
        scopes = "".join(f"\n- `{name}`: {meaning}" for name, meaning in SCOPES.items())
        return [
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "The access token that `POST /api/v1/auth/login/` returns.",
            },
            {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "atr_…",
                "description": "A personal access token. Create one on the account page or with `POST "
                f"/api/v1/auth/tokens/`. Each operation names the scope that it needs:\n{scopes}",
                "x-scopes": SCOPES,
            },
        ]

    def get_security_requirement(self, auto_schema: Any) -> Any:
        """Return both methods; operations that need a session do not accept personal tokens.

        The scopes are in the operation's ``x-scopes``: in ``security`` they would mean that all of them are needed, and
        only OAuth 2 can list them there.
        """
        needed = needed_scopes(auto_schema.view, auto_schema.method)
        return [{"bearer": []}] + ([{"personalToken": []}] if needed is not None else [])


class CookieScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.authentication.CookieAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "This site's session cookie.",
        }

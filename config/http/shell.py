"""What the header of every page needs (``partials/site_head.html``)."""

from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

# Pages that a visitor does not want to return to after sign-in; some of these paths contain a secret code.
_NO_RETURN = ("/login/", "/logout/", "/register/", "/resend/", "/forgot/", "/v/", "/r/", "/i/", "/oidc/")


def context(request: HttpRequest) -> dict[str, object]:
    """Return whether the server has event streams, and the link to the sign-in page that leads back to this one."""
    stays = request.path == "/" or request.path.startswith(_NO_RETURN)
    return {
        "has_events": bool(settings.EVENTS_URL),
        "sign_in_url": "/login/" if stays else f"/login/?next={quote(request.get_full_path(), safe='/')}",
    }


def oidc(request: HttpRequest) -> dict[str, object]:
    """Return the name of the OpenID Connect provider; empty if there is none."""
    return {"oidc_label": settings.OIDC_LABEL if settings.OIDC_ISSUER else ""}

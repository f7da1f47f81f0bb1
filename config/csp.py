"""The Content-Security-Policy: strict for this site's own pages, as loose as it must be for the admin's."""

from typing import Any

from csp.constants import UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse


class PolicyMiddleware(CSPMiddleware):
    """django-unfold's pages are driven by Alpine, which evaluates its attributes and sets styles in place.

    Inline scripts stay forbidden there too, so text that got into a page still runs nothing.
    """

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: Any = super().get_policy_parts(request, response, report_only)
        if request.path.startswith(reverse("admin:index")):
            parts.update = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}
        return parts

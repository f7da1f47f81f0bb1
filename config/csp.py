"""The Content-Security-Policy: strict for this site's own pages, as loose as it must be for the admin's."""

from functools import cached_property
from typing import Any

from csp.constants import HEADER, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse


class PolicyMiddleware(CSPMiddleware):
    """django-unfold's pages are driven by Alpine, which evaluates its attributes and sets styles in place.

    Inline scripts stay forbidden there too, so text that got into a page still runs nothing.

    Nearly every answer carries the settings' own policy, which is put together once. Where a view has asked for another
    (``csp.decorators``), and in the admin, django-csp puts one together for the answer.
    """

    _own: tuple[object, str] = (None, "")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: Any = self.get_response(request)
        if settings.DEBUG or request.path.startswith(self.admin) or any(k.startswith("_csp_") for k in vars(response)):
            return self.process_response(request, response)
        response.headers.setdefault(HEADER, self.own_policy())
        return response

    def own_policy(self) -> str:
        """The settings' policy, put together anew only where they have another (as in a test)."""
        of, built = self._own
        if of is not settings.CONTENT_SECURITY_POLICY:
            built = build_policy()
            self._own = settings.CONTENT_SECURITY_POLICY, built
        return built

    @cached_property
    def admin(self) -> str:
        return reverse("admin:index")

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts: Any = super().get_policy_parts(request, response, report_only)
        if request.path.startswith(self.admin):
            parts.update = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}
        return parts

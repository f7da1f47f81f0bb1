"""The Content-Security-Policy header: strict for this site's own pages, wider for the admin."""

from functools import cached_property
from typing import Any

from csp.constants import HEADER, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """Set the policy of the settings, and a wider one in the admin.

    django-unfold uses Alpine, which evaluates attributes and sets inline styles. Inline scripts stay forbidden in the
    admin too, so text injected into a page cannot run.

    The policy of the settings is built once. django-csp builds a policy per response only in the admin and for views
    that ask for their own (``csp.decorators``).
    """

    _default: tuple[object, str] = (None, "")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: Any = self.get_response(request)
        if settings.DEBUG or request.path.startswith(self.admin) or any(k.startswith("_csp_") for k in vars(response)):
            return self.process_response(request, response)
        response.headers.setdefault(HEADER, self.default_policy())
        return response

    def default_policy(self) -> str:
        """Return the policy of the settings; build it again only if the settings changed, as in a test."""
        source, policy = self._default
        if source is not settings.CONTENT_SECURITY_POLICY:
            policy = build_policy()
            self._default = settings.CONTENT_SECURITY_POLICY, policy
        return policy

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

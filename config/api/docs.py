"""The OpenAPI schema, Swagger UI and Redoc, served from this site without inline scripts."""

from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib.auth import get_user
from django.utils.decorators import method_decorator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response


class SchemaView(SpectacularAPIView):
    content_negotiation_class = DefaultContentNegotiation
    permission_classes = [AllowAny]
    authentication_classes: list = []
    throttle_classes: list = []


# Swagger UI and Redoc set inline styles; neither needs an inline script.
_PAGE_POLICY = {"style-src": ["'unsafe-inline'"], "img-src": ["data:", "blob:"], "worker-src": ["blob:"]}


@method_decorator(csp_update(_PAGE_POLICY), name="dispatch")
class SwaggerView(SpectacularSwaggerSplitView):
    permission_classes = [AllowAny]
    authentication_classes: list = []
    throttle_classes: list = []
    url_name = "schema"
    title = "Atrium API"
    template_name = "swagger.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)
        # The page offers the token of its session. The view itself authenticates nobody.
        response.data["signed_in_as"] = get_user(request).get_username()
        return response


@method_decorator(csp_update({**_PAGE_POLICY, "worker-src": [SELF, "blob:"]}), name="dispatch")
class RedocView(SpectacularRedocView):
    permission_classes = [AllowAny]
    authentication_classes: list = []
    throttle_classes: list = []
    url_name = "schema"
    title = "Atrium API"
    template_name = "redoc.html"

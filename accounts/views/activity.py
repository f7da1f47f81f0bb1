"""The security events of one's own account."""

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.views import ListAPIView
from config.audit.models import AuditRecord

from ..serializers import ActivitySerializer
from .base import AccountAPIView


class ActivityView(AccountAPIView, ListAPIView):
    serializer_class = ActivitySerializer
    filter_backends: list = []

    def get_queryset(self) -> QuerySet[AuditRecord]:
        return AuditRecord.objects.about(self.user)

    @extend_schema(
        summary="List your security events",
        description="Sign-ins and failed ones, changes of password, address, sessions and tokens, exports and imports, "
        "newest first. `ip` and `user_agent` are null if somebody else did it, such as a member of staff.",
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

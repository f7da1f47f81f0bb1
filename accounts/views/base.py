"""Base classes of the accounts views."""

from typing import Any

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config.api.views import APIView

from ..authentication import CHALLENGE, InvalidToken
from ..models import ACCOUNT_DELETED, User


def validated(serializer: type[BaseSerializer], request: Request, **options: Any) -> dict[str, Any]:
    """Return the validated body of ``request``; raises a validation error for each invalid field."""
    bound = serializer(data=request.data, **options)
    bound.is_valid(raise_exception=True)
    return bound.validated_data


class PublicAPIView(APIView):
    """An endpoint that needs no sign-in.

    Credentials in the request are ignored: an expired access token must not prevent its own refresh.
    """

    authentication_classes: list = []
    permission_classes = [AllowAny]
    schema_tag = "auth"

    def get_authenticate_header(self, request: Request) -> str:
        return CHALLENGE


class AccountAPIView(APIView):
    """An endpoint about the signed-in user's own account.

    ``allowed_without_factor``: open to users who must set up a second factor first.
    """

    schema_tag = "auth"
    allowed_without_factor = False

    @property
    def user(self) -> User:
        user = self.request.user
        if not isinstance(user, User):
            raise TypeError("The view was reached without a sign-in.")
        return user

    def handle_exception(self, exc: Exception) -> Response:
        # Another request has deleted the account since this one was authenticated.
        return super().handle_exception(InvalidToken() if isinstance(exc, ACCOUNT_DELETED) else exc)

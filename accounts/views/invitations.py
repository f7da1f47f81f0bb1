"""Invitations: staff invite people by e-mail."""

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.openapi import errors
from config.api.throttles import SendThrottle, UserThrottle

from .. import serializers
from ..models import Invitation
from ..services import invitations
from .base import AccountAPIView, validated


class InvitationsView(AccountAPIView):
    permission_classes = [IsAdminUser]

    def get_throttles(self) -> list:
        return [UserThrottle(), SendThrottle()] if self.request.method == "POST" else super().get_throttles()

    @extend_schema(
        summary="List the open invitations",
        description="For staff: the invitations that nobody has used yet, newest first, at most 200.",
        responses={200: serializers.InvitationSerializer(many=True), **errors(403)},
    )
    def get(self, request: Request) -> Response:
        rows = Invitation.objects.visible_to(self.user).unused().select_related("invited_by")[:200]
        return Response(serializers.InvitationSerializer(rows, many=True).data)

    @extend_schema(
        summary="Invite somebody",
        description="For staff: mail a link that creates an account for this address, within seven days and once. A "
        "new invitation of an address replaces the earlier one. 409 `email_taken`: the address has an account.",
        request=serializers.InviteSerializer,
        responses={201: serializers.InvitationSerializer, **errors(403, 409)},
        examples=[OpenApiExample("An address", {"email": "grace@example.org", "is_staff": False}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        data = validated(serializers.InviteSerializer, request)
        invitation = invitations.invite(**data, invited_by=self.user)
        return Response(serializers.InvitationSerializer(invitation).data, status.HTTP_201_CREATED)


class InvitationView(AccountAPIView):
    permission_classes = [IsAdminUser]

    @extend_schema(
        summary="Revoke an invitation",
        description="For staff: the mailed link no longer works.",
        parameters=[OpenApiParameter("id", int, OpenApiParameter.PATH)],
        responses={204: None, **errors(403)},
    )
    def delete(self, request: Request, id: str) -> Response:
        try:
            number = int(id)
        except ValueError as error:
            raise NotFound from error
        invitations.revoke(id=number, user=self.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

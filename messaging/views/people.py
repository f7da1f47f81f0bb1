"""``blocks/`` and ``people/``."""

from typing import Any

from django.http import Http404, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Block, User
from config import storage
from config.api import openapi
from config.api.idempotency import run_once
from config.api.scopes import read_write
from config.api.views import APIView

from ..cards import load_cards
from ..representation import BlockSerializer, UserCardSerializer
from ..services import blocks
from .lookups import active_user_or_404


class BlockListView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="blocks_list",
        summary="List whom you block",
        description="Newest first.",
        responses={200: BlockSerializer(many=True)},
    )
    def get(self, request: Request) -> Response:
        found = Block.objects.filter(blocker=request.user).select_related("blocked")
        return Response(BlockSerializer(found, many=True).data)


class BlockView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="blocks_create",
        summary="Block a user",
        description="Their messages do not reach you, and they do not see you online. They are not notified.",
        request=None,
        parameters=[openapi.IDEMPOTENCY_KEY],
        responses={201: BlockSerializer, 200: BlockSerializer, **openapi.errors(400)},
    )
    def post(self, request: Request, usercode: str) -> Any:
        blocked = get_object_or_404(User, usercode=usercode.upper())

        def block() -> Response:
            found, created = blocks.block(blocker=request.user, blocked=blocked)
            return Response(BlockSerializer(found).data, status=201 if created else 200)

        return run_once(request, {}, block)

    @extend_schema(
        operation_id="blocks_delete",
        summary="Unblock a user",
        description="Messages that they sent while they were blocked stay withheld.",
        request=None,
        responses={204: None},
    )
    def delete(self, request: Request, usercode: str) -> Response:
        blocks.unblock(blocker=request.user, blocked=get_object_or_404(User, usercode=usercode.upper()))
        return Response(status=204)


class PersonView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="people_retrieve",
        summary="Find a user by usercode",
        description="Returns the user's name and the path of their picture.",
        responses={200: UserCardSerializer},
    )
    def get(self, request: Request, usercode: str) -> Response:
        user = active_user_or_404(usercode)
        return Response(UserCardSerializer(load_cards([user.pk])[user.pk]).data)


class PictureView(APIView):
    scopes = read_write("messages")

    @extend_schema(
        operation_id="people_picture",
        summary="Get a user's picture",
        description="Redirects to the file with a link that is valid for five minutes.",
        responses={302: OpenApiResponse(description="`Location` is the address of the picture.")},
    )
    def get(self, request: Request, usercode: str) -> Any:
        image = active_user_or_404(usercode).profile.image.name
        if not image:
            raise Http404
        response = HttpResponseRedirect(storage.signed_url(image))
        response["Cache-Control"] = "private, max-age=240"
        return response

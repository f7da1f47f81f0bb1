"""What somebody signed in may see and do about themselves: ``/api/v1/auth/``."""

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.codecs import JSONParser

from . import serializers
from .services import profiles
from .views import checked


class ProfileView(APIView):
    schema_tag = "auth"
    parser_classes = [JSONParser, MultiPartParser, FormParser]

    @extend_schema(summary="Your profile", responses=serializers.ProfileSerializer)
    def get(self, request: Request) -> Response:
        return Response(serializers.ProfileSerializer(profiles.profile_of(request.user)).data)

    @extend_schema(
        summary="Change your profile",
        request=serializers.ProfileSerializer,
        responses=serializers.ProfileSerializer,
        examples=[
            OpenApiExample(
                "Some fields",
                {"first_name": "Ada", "last_name": "Lovelace", "timezone": "Europe/London"},
                request_only=True,
            )
        ],
    )
    def patch(self, request: Request) -> Response:
        data = checked(serializers.ProfileSerializer, request, partial=True)
        names = data.pop("user", {})
        profile = profiles.update_profile(user=request.user, names=names, **data)
        return Response(serializers.ProfileSerializer(profile).data)

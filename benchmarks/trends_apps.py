"""Other ways to serve a page of trends, with the same middleware and filters."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page

from benchmarks import apps
from trends.models import Trend
from trends.serializers import TrendSerializer
from trends.views import TrendViewSet

application = apps.application


class Serialized(TrendViewSet):
    """A ModelSerializer over the rows of the page, rendered for every request."""

    def list(self, request, *args, **kwargs):
        page = self.paginate_queryset(self.filter_queryset(Trend.objects.all()))
        return self.get_paginated_response(TrendSerializer(page, many=True).data)


class CachePage(Serialized):
    """The same with Django's cache inside the view, so that throttles still count."""

    @method_decorator(cache_page(120))
    def list(self, request, *args, **kwargs):
        return super().list(request, *args, **kwargs)


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"{}", content_type="application/json")


apps.urlpatterns += [
    path("bench/serialized/", Serialized.as_view({"get": "list"})),
    path("bench/cache_page/", CachePage.as_view({"get": "list"})),
    path("bench/cache_page_outside/", cache_page(120)(Serialized.as_view({"get": "list"}))),
    path("bench/bare/", bare),
]

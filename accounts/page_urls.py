"""The pages of accounts: signing in and out, and behind the short links of mails."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []

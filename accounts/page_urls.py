"""The pages of accounts: signing in and out, and behind the short links of mails."""

from django.urls import path

from . import link_pages

urlpatterns = [
    path("v/<str:code>/", link_pages.VerifyPage.as_view(), name="verify-page"),
    path("r/<str:code>/", link_pages.NewPasswordPage.as_view(), name="new-password-page"),
]

"""The pages of accounts: signing in and out, one's own account, and behind the short links of mails."""

from django.urls import path
from django.views.generic import RedirectView

from . import account_pages, link_pages, sign_in_pages

urlpatterns = [
    path("v/<str:code>/", link_pages.VerifyPage.as_view(), name="verify-page"),
    path("r/<str:code>/", link_pages.NewPasswordPage.as_view(), name="new-password-page"),
    path("login/", sign_in_pages.LoginPage.as_view(), name="login-page"),
    path("logout/", sign_in_pages.sign_out, name="logout-page"),
    path("register/", sign_in_pages.RegisterPage.as_view(), name="register-page"),
    path("resend/", sign_in_pages.ResendPage.as_view(), name="resend-page"),
    path("forgot/", sign_in_pages.ForgotPage.as_view(), name="forgot-page"),
    # The admin's own page would carry its cookie over the change behind the back of UserSession.
    path("admin/password_change/", RedirectView.as_view(pattern_name="account-page")),
    path("account/", account_pages.AccountPage.as_view(), name="account-page"),
    path("account/profile/", account_pages.ProfileSection.as_view(), name="account-profile"),
    path("account/picture/", account_pages.PictureSection.as_view(), name="account-picture"),
    path("account/picture/remove/", account_pages.RemovePictureSection.as_view(), name="account-picture-remove"),
    path("account/password/", account_pages.PasswordSection.as_view(), name="account-password"),
    path("account/email/", account_pages.EmailSection.as_view(), name="account-email"),
    path("account/sessions/end/", account_pages.EndSessionSection.as_view(), name="account-sessions-end"),
    path("account/sessions/<uuid:id>/end/", account_pages.EndSessionSection.as_view(), name="account-session-end"),
    path("account/delete/", account_pages.DeleteSection.as_view(), name="account-delete"),
]

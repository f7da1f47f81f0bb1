"""``/api/v1/auth/``."""

from django.urls import path

from . import self_views, views

urlpatterns = [
    path("register/", views.RegisterView.as_view(), name="register"),
    path("verify-email/", views.VerifyEmailView.as_view(), name="verify-email"),
    path("resend-verification/", views.ResendVerificationView.as_view(), name="resend-verification"),
    path("login/", views.LoginView.as_view(), name="login"),
    path("token/refresh/", views.RefreshView.as_view(), name="token-refresh"),
    path("token/verify/", views.VerifyTokenView.as_view(), name="token-verify"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("reset-password/", views.ResetPasswordView.as_view(), name="reset-password"),
    path("new-password/", views.NewPasswordView.as_view(), name="new-password"),
    path("logout-all/", self_views.LogoutAllView.as_view(), name="logout-all"),
    path("sessions/", self_views.SessionsView.as_view(), name="sessions"),
    path("sessions/<str:id>/", self_views.SessionView.as_view(), name="session"),
    path("change-password/", self_views.ChangePasswordView.as_view(), name="change-password"),
    path("change-email/", self_views.ChangeEmailView.as_view(), name="change-email"),
    path("profile/image/", self_views.ProfileImageView.as_view(), name="profile-image"),
    path("export/", self_views.ExportView.as_view(), name="export"),
    path("account/", self_views.AccountView.as_view(), name="account"),
    path("profile/", self_views.ProfileView.as_view(), name="profile"),
]

"""``/api/v1/auth/``, in the order of the API reference."""

from django.urls import path

from .views import account, activity, factors, invitations, passwords, registration, second_step, sessions, tokens

urlpatterns = [
    path("register/", registration.RegisterView.as_view(), name="register"),
    path("verify-email/", registration.VerifyEmailView.as_view(), name="verify-email"),
    path("resend-verification/", registration.ResendVerificationView.as_view(), name="resend-verification"),
    path("login/", sessions.LoginView.as_view(), name="login"),
    path("login/mfa/", second_step.LoginMfaView.as_view(), name="login-mfa"),
    path("login/passkey/options/", second_step.PasskeyLoginOptionsView.as_view(), name="login-passkey-options"),
    path("login/passkey/", second_step.PasskeyLoginView.as_view(), name="login-passkey"),
    path("token/refresh/", sessions.RefreshView.as_view(), name="token-refresh"),
    path("token/verify/", sessions.VerifyTokenView.as_view(), name="token-verify"),
    path("token/from-session/", tokens.TokenFromSessionView.as_view(), name="token-from-session"),
    path("profile/", account.ProfileView.as_view(), name="profile"),
    path("profile/image/", account.ProfileImageView.as_view(), name="profile-image"),
    path("change-email/", account.ChangeEmailView.as_view(), name="change-email"),
    path("change-password/", passwords.ChangePasswordView.as_view(), name="change-password"),
    path("reset-password/", passwords.ResetPasswordView.as_view(), name="reset-password"),
    path("new-password/", passwords.NewPasswordView.as_view(), name="new-password"),
    path("invitations/", invitations.InvitationsView.as_view(), name="invitations"),
    path("invitations/<str:id>/", invitations.InvitationView.as_view(), name="invitation"),
    path("sessions/", sessions.SessionsView.as_view(), name="sessions"),
    path("sessions/<str:id>/", sessions.SessionView.as_view(), name="session"),
    path("tokens/", tokens.TokensView.as_view(), name="tokens"),
    path("tokens/<str:id>/", tokens.TokenView.as_view(), name="token"),
    path("activity/", activity.ActivityView.as_view(), name="activity"),
    path("mfa/", factors.FactorsView.as_view(), name="mfa"),
    path("mfa/totp/", factors.TotpView.as_view(), name="mfa-totp"),
    path("mfa/totp/confirm/", factors.TotpConfirmView.as_view(), name="mfa-totp-confirm"),
    path("mfa/passkeys/options/", factors.PasskeyOptionsView.as_view(), name="mfa-passkey-options"),
    path("mfa/passkeys/", factors.PasskeysView.as_view(), name="mfa-passkeys"),
    path("mfa/passkeys/<str:id>/", factors.PasskeyView.as_view(), name="mfa-passkey"),
    path("mfa/recovery-codes/", factors.RecoveryCodesView.as_view(), name="mfa-recovery-codes"),
    path("reauthenticate/options/", second_step.ReauthenticateOptionsView.as_view(), name="reauthenticate-options"),
    path("reauthenticate/", second_step.ReauthenticateView.as_view(), name="reauthenticate"),
    path("export/", account.ExportView.as_view(), name="export"),
    path("logout/", sessions.LogoutView.as_view(), name="logout"),
    path("logout-all/", sessions.LogoutAllView.as_view(), name="logout-all"),
    path("account/", account.AccountView.as_view(), name="account"),
]

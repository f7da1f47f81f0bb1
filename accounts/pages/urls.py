"""The URLs of the accounts pages."""

from django.urls import path
from django.views.generic import RedirectView

from . import account, activity, links, oidc, personal_tokens, second_step, sign_in, two_step, webhooks

urlpatterns = [
    path("v/<str:code>/", links.VerifyPage.as_view(), name="verify-page"),
    path("r/<str:code>/", links.NewPasswordPage.as_view(), name="new-password-page"),
    path("i/<str:code>/", links.InvitationPage.as_view(), name="invitation-page"),
    path("login/", sign_in.LoginPage.as_view(), name="login-page"),
    path("login/second-step/", second_step.SecondStepPage.as_view(), name="second-step-page"),
    path("login/passkey/", second_step.PasskeySignInPage.as_view(), name="passkey-sign-in"),
    path("oidc/login/", oidc.OidcLoginPage.as_view(), name="oidc-login"),
    path("oidc/callback/", oidc.OidcCallbackPage.as_view(), name="oidc-callback"),
    path("oidc/connect/", oidc.OidcConnectPage.as_view(), name="oidc-connect"),
    path("oidc/disconnect/", oidc.OidcDisconnectPage.as_view(), name="oidc-disconnect"),
    path("logout/", sign_in.sign_out, name="logout-page"),
    path("register/", sign_in.RegisterPage.as_view(), name="register-page"),
    path("resend/", sign_in.ResendPage.as_view(), name="resend-page"),
    path("forgot/", sign_in.ForgotPage.as_view(), name="forgot-page"),
    path("admin/login/", sign_in.AdminLoginPage.as_view()),
    # The admin's own page would keep the cookie without updating its UserSession.
    path("admin/password_change/", RedirectView.as_view(pattern_name="account-page")),
    path("account/", account.AccountPage.as_view(), name="account-page"),
    path("account/profile/", account.ProfileFormView.as_view(), name="account-profile"),
    path("account/picture/", account.PictureFormView.as_view(), name="account-picture"),
    path("account/picture/remove/", account.RemovePictureFormView.as_view(), name="account-picture-remove"),
    path("account/password/", account.PasswordFormView.as_view(), name="account-password"),
    path("account/email/", account.EmailFormView.as_view(), name="account-email"),
    path("account/sessions/end/", account.EndSessionsFormView.as_view(), name="account-sessions-end"),
    path("account/sessions/<uuid:id>/end/", account.EndSessionsFormView.as_view(), name="account-session-end"),
    path("account/reauthenticate/", second_step.ReauthenticationPage.as_view(), name="reauthenticate-page"),
    path("account/two-step/", two_step.TwoStepPage.as_view(), name="two-step-page"),
    path("account/two-step/app/", two_step.AppPage.as_view(), name="two-step-app"),
    path("account/two-step/app/start/", two_step.StartAppView.as_view(), name="two-step-app-start"),
    path("account/two-step/app/remove/", two_step.RemoveAppView.as_view(), name="two-step-app-remove"),
    path("account/two-step/passkeys/", two_step.AddPasskeyView.as_view(), name="two-step-passkeys"),
    path("account/two-step/passkeys/<uuid:id>/", two_step.RenamePasskeyView.as_view(), name="two-step-passkey-rename"),
    path(
        "account/two-step/passkeys/<uuid:id>/delete/",
        two_step.RemovePasskeyView.as_view(),
        name="two-step-passkey-delete",
    ),
    path("account/two-step/codes/", two_step.RecoveryCodesView.as_view(), name="two-step-codes"),
    path("account/activity/", activity.ActivityPage.as_view(), name="account-activity"),
    path("account/tokens/", personal_tokens.NewTokenFormView.as_view(), name="account-tokens"),
    path(
        "account/tokens/<uuid:id>/revoke/",
        personal_tokens.RevokeTokenFormView.as_view(),
        name="account-token-revoke",
    ),
    path("account/webhooks/", webhooks.NewWebhookFormView.as_view(), name="account-webhooks"),
    path("account/webhooks/<int:pk>/test/", webhooks.TestFormView.as_view(), name="account-webhook-test"),
    path("account/webhooks/<int:pk>/secret/", webhooks.SecretFormView.as_view(), name="account-webhook-secret"),
    path("account/webhooks/<int:pk>/switch/", webhooks.SwitchFormView.as_view(), name="account-webhook-switch"),
    path("account/webhooks/<int:pk>/delete/", webhooks.DeleteFormView.as_view(), name="account-webhook-delete"),
    path("account/webhooks/<int:pk>/<int:delivery_pk>/", webhooks.ResendFormView.as_view(), name="account-resend"),
    path("account/delete/", account.DeleteFormView.as_view(), name="account-delete"),
]

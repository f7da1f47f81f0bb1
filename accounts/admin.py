"""Users and their devices in the admin. It shows no passwords, codes or hashes."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from rest_framework.exceptions import APIException
from unfold.forms import AdminPasswordChangeForm, UserCreationForm

from config.admin import JobStateFilter, ModelAdmin, ReadOnlyAdmin, SendAgainAdmin
from config.dashboard import person

from .addresses import normalize_address
from .devices import Device
from .models import (
    AccountLink,
    Block,
    Invitation,
    MfaTicket,
    OidcAttempt,
    OidcIdentity,
    Passkey,
    PendingRegistration,
    PersonalToken,
    RecoveryCode,
    Totp,
    User,
    UserProfile,
    UserSession,
    WrongCode,
)
from .services import deletion, invitations, passwords, personal_tokens, registration, sessions, verification

PERMISSION_FIELDS = ("is_staff", "is_superuser", "groups", "user_permissions")


class UserFormMixin:
    """Stores the address in its normal form; address and username must be unique without regard to case."""

    cleaned_data: dict[str, Any]
    instance: User

    def clean_email(self) -> str:
        try:
            email = normalize_address(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if User.objects.by_email(email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("This e-mail address belongs to another account.")
        return email

    def clean_username(self) -> str:
        username = self.cleaned_data["username"]
        other = User.objects.by_login(username).exclude(pk=self.instance.pk).exists()
        if other or PendingRegistration.objects.by_login(username).active().exists():
            raise forms.ValidationError("This username is taken.")
        return username


class ChangeForm(UserFormMixin, forms.ModelForm):
    class Meta:
        model = User
        fields = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser", "groups")


class CreationForm(UserFormMixin, UserCreationForm):
    class Meta:
        model = User
        fields = ("username", "email")


class VerifiedFilter(admin.SimpleListFilter):
    title = "e-mail confirmed"
    parameter_name = "verified"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset if self.value() is None else queryset.filter(email_verified_at__isnull=self.value() == "no")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = ChangeForm
    add_form = CreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = (
        "username",
        "email",
        "usercode",
        "is_verified",
        "is_active",
        "is_staff",
        "date_joined",
        "last_login",
    )
    list_filter = (VerifiedFilter, "is_active", "is_staff", "is_superuser", "date_joined")
    search_fields = ("username", "email", "usercode")
    ordering = ("-id",)
    readonly_fields = ("usercode", "email_verified_at", "last_login", "date_joined", "set_password", "related_rows")
    fieldsets = (
        (None, {"fields": ("username", "email", "email_verified_at", "usercode", "set_password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
        ("Everything of this person", {"fields": ("related_rows",)}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "email", "password1", "password2")}),)
    filter_horizontal = ("groups", "user_permissions")
    actions = ("verify", "sign_out", "deactivate", "send_reset")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers assign permissions: other staff could otherwise make themselves superusers."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *PERMISSION_FIELDS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self.may_manage(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self.may_manage(request, obj)

    @staticmethod
    def may_manage(request: HttpRequest, user: User | None) -> bool:
        return user is None or request.user.is_superuser or not (user.is_superuser or user.is_staff)

    def audit_user(self, row: User) -> User:
        return row

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Require no permission for related rows: most of them are read-only for everybody."""
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        deletion.remove_user(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self.manageable(request, queryset):
            deletion.remove_user(user)

    def manageable(self, request: HttpRequest, users: QuerySet[User]) -> list[User]:
        return [user for user in users if self.may_manage(request, user)]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set the password of another user. Your own is changed on the account page, which asks for the current one."""
        if self.get_object(request, unquote(id)) == request.user:
            return redirect("account-page")
        return super().user_change_password(request, id, form_url)

    @admin.display(boolean=True, description="confirmed")
    def is_verified(self, user: User) -> bool:
        return user.email_verified

    @admin.display(description="password")
    def set_password(self, user: User) -> str:
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">Set a new password</a>. All sessions of the user end.', url)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        user = super().get_object(request, object_id, from_field)
        if user:
            user.viewed_by = request  # for related_rows: the links depend on the permissions of staff
        return user

    @admin.display(description="Rows")
    def related_rows(self, user: Any) -> str:
        return person.related_rows(user.viewed_by, user) if hasattr(user, "viewed_by") else ""

    @admin.action(description="Confirm the e-mail address", permissions=["change"])
    def verify(self, request: HttpRequest, users: QuerySet[User]) -> None:
        done = sum(verification.mark_verified(user) for user in self.manageable(request, users))
        self.message_user(request, f"Confirmed: {done}.", messages.SUCCESS)

    @admin.action(description="Sign out on all devices", permissions=["change"])
    def sign_out(self, request: HttpRequest, users: QuerySet[User]) -> None:
        others = [user.pk for user in self.manageable(request, users) if user.pk != request.user.pk]
        count = sessions.end_sessions(UserSession.objects.filter(user__in=others))
        self.message_user(
            request, f"Sessions ended: {count}. Your own and personal access tokens stay.", messages.SUCCESS
        )

    @admin.action(description="Deactivate and sign out", permissions=["change"])
    def deactivate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        others = [user for user in self.manageable(request, users) if user.pk != request.user.pk]
        for user in others:
            user.is_active = False
            user.save(update_fields=["is_active"])  # receivers.end_sessions ends the sessions
        self.message_user(
            request, f"Deactivated: {len(others)}. Your own account is never deactivated.", messages.SUCCESS
        )

    @admin.action(description="Send a password reset link", permissions=["change"])
    def send_reset(self, request: HttpRequest, users: QuerySet[User]) -> None:
        device = Device.of(request)
        selected = self.manageable(request, users)
        for user in selected:
            passwords.request_reset(email=user.email, device=device)
        self.message_user(request, f"Reset links sent: {len(selected)}.", messages.SUCCESS)


@admin.register(PendingRegistration)
class PendingRegistrationAdmin(ReadOnlyAdmin):
    """Registrations whose address is not confirmed. Deleting one frees its username."""

    list_display = ("username", "email", "created_at", "expires_at", "voided_at")
    search_fields = ("username", "email")
    fields = ("username", "email", "created_at", "expires_at", "voided_at")
    actions = ("confirm",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Require no permission for the links of a registration, which are read-only for everybody."""
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_change_permission(request)

    @admin.action(description="Confirm the address and create the account", permissions=["confirm"])
    def confirm(self, request: HttpRequest, registrations: QuerySet[PendingRegistration]) -> None:
        for row in registrations:
            try:
                user = registration.create_account(row)
            except (registration.EmailTaken, registration.UsernameConflict) as error:
                self.message_user(request, f"{row.username}: {error.detail}", messages.ERROR)
            else:
                self.message_user(request, f"Account created: {user.username}.", messages.SUCCESS)


class InviteForm(forms.ModelForm):
    class Meta:
        model = Invitation
        fields = ("email", "is_staff")

    def clean_email(self) -> str:
        try:
            return normalize_address(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        try:
            invitations.check_may_invite(self.cleaned_data.get("email", ""))
        except APIException as error:
            self.add_error("email", str(error.detail))
        return self.cleaned_data

    def validate_unique(self) -> None:
        """Accept an address with an open invitation: the new one replaces it."""

    def validate_constraints(self) -> None:
        """See validate_unique."""


@admin.register(Invitation)
class InvitationAdmin(SendAgainAdmin):
    """Invitations. Adding one mails the link; deleting an unused one withdraws it."""

    form = InviteForm
    list_display = (
        "email", "is_staff", "invited_by", "created_at", "done_at", "expires_at", "used_at", "user", "attempts",
        "error",
    )  # fmt: skip
    list_filter = (JobStateFilter, "is_staff", ("used_at", admin.EmptyFieldListFilter))
    list_select_related = ("invited_by", "user")
    search_fields = ("email", "invited_by__username")
    exclude = ("code_hash", "email_lower")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:  # the page that adds one
            return [(None, {"fields": ("email", "is_staff")})]
        return super().get_fieldsets(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Invitation, form: Any, change: bool) -> None:
        stored = invitations.invite(email=obj.email, is_staff=obj.is_staff, invited_by=request.user)
        obj.pk = stored.pk  # the admin's messages and log name it

    def log_addition(self, request: HttpRequest, obj: Invitation, message: Any) -> Any:
        """Add no record to the audit log: the service has added one."""
        return super(ModelAdmin, self).log_addition(request, obj, message)


@admin.register(UserProfile)
class UserProfileAdmin(ModelAdmin):
    list_display = ("user", "date_of_birth", "timezone", "has_picture")
    search_fields = ("user__username", "user__email", "user__usercode")
    list_select_related = ("user",)
    fields = ("user", "date_of_birth", "timezone", "has_picture")
    readonly_fields = ("user", "has_picture")

    @admin.display(boolean=True, description="picture")
    def has_picture(self, profile: UserProfile) -> bool:
        return bool(profile.image)

    def save_model(self, request: HttpRequest, obj: UserProfile, form: Any, change: bool) -> None:
        obj.has_timezone |= "timezone" in form.changed_data
        super().save_model(request, obj, form, change)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # created with the user

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deleted with the user


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at", "last_used_at", "expires_at", "ended_at", "ip", "user_agent")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "last_used_at")
    search_fields = ("user__username", "user__email", "user__usercode", "ip")
    list_select_related = ("user",)
    fields = (
        "user", "signed_in_with", "created_at", "authenticated_at", "last_used_at", "expires_at", "ended_at", "ip",
        "user_agent",
    )  # fmt: skip


@admin.register(Totp)
class TotpAdmin(ReadOnlyAdmin):
    """Who has an authenticator app. `manage.py reset_mfa` removes the factors of a user who has lost them."""

    list_display = ("user", "created_at")
    list_filter = (("created_at", admin.EmptyFieldListFilter),)
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)
    fields = ("user", "created_at", "pending_until")


@admin.register(Passkey)
class PasskeyAdmin(ReadOnlyAdmin):
    list_display = ("user", "name", "created_at", "last_used_at", "sign_count")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)
    fields = ("user", "name", "created_at", "last_used_at", "sign_count", "transports")


@admin.register(RecoveryCode)
class RecoveryCodeAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at", "used_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter),)
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)
    fields = ("user", "created_at", "used_at")


@admin.register(MfaTicket)
class MfaTicketAdmin(ReadOnlyAdmin):
    list_display = ("purpose", "user", "created_at", "expires_at", "used_at", "wrong_answers")
    list_filter = ("purpose",)
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)
    fields = ("purpose", "user", "first_step", "created_at", "expires_at", "used_at", "wrong_answers")


@admin.register(WrongCode)
class WrongCodeAdmin(ReadOnlyAdmin):
    """Ten rows of a user within an hour end the attempts with codes of the app."""

    list_display = ("user", "at")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user",)


@admin.register(PersonalToken)
class PersonalTokenAdmin(ReadOnlyAdmin):
    """Tokens of programs. Staff can revoke them; the tokens themselves are stored nowhere."""

    list_display = ("user", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "last_used_ip")
    search_fields = ("user__username", "user__email", "prefix", "name", "last_used_ip")
    list_select_related = ("user",)
    list_filter = (("expires_at", admin.EmptyFieldListFilter), "last_used_at")
    exclude = ("token_hash",)
    actions = ("revoke",)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, rows: QuerySet[PersonalToken]) -> None:
        done = sum(personal_tokens.revoke_token(user=row.user, token_id=row.pk) for row in rows)
        self.message_user(request, f"Revoked: {done}.", messages.SUCCESS)


@admin.register(AccountLink)
class AccountLinkAdmin(SendAgainAdmin):
    list_display = (
        "purpose",
        "email",
        "user",
        "registration",
        "created_at",
        "done_at",
        "spent_at",
        "expires_at",
        "attempts",
        "error",
    )
    list_filter = (JobStateFilter, "purpose")
    search_fields = ("email", "user__username", "user__usercode")
    list_select_related = ("user", "registration")
    exclude = ("code_hash",)


@admin.register(OidcIdentity)
class OidcIdentityAdmin(ReadOnlyAdmin):
    """Connections to the OpenID Connect provider. Deleting one disconnects the account."""

    list_display = ("user", "issuer", "subject", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "subject")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super(ReadOnlyAdmin, self).has_delete_permission(request, obj)


@admin.register(OidcAttempt)
class OidcAttemptAdmin(ReadOnlyAdmin):
    """Sign-ins that people have begun at the provider within the last ten minutes."""

    list_display = ("id", "purpose", "user", "created_at")
    list_filter = ("purpose",)
    list_select_related = ("user",)
    fields = ("purpose", "user", "created_at")


@admin.register(Block)
class BlockAdmin(ReadOnlyAdmin):
    list_display = ("id", "blocker", "blocked", "created_at")
    list_select_related = ("blocker", "blocked")
    search_fields = ("blocker__username", "blocked__username")

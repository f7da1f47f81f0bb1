"""People and their devices for staff. No password and no code is ever shown, not even as a hash."""

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
from unfold.forms import AdminPasswordChangeForm, UserCreationForm

from config.admin import JobStateFilter, ModelAdmin, ReadOnlyAdmin, SendAgainAdmin

from .addresses import normalised
from .devices import Device
from .models import AccountLink, User, UserProfile, UserSession
from .services import deletion, passwords, registration

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class AddressMixin:
    """An address is stored in its normal form, whoever types it, and is one person's without regard to case."""

    cleaned_data: dict[str, Any]
    instance: User

    def clean_email(self) -> str:
        try:
            email = normalised(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        if User.objects.by_email(email).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("This e-mail address belongs to another account.")
        return email


class ChangeForm(AddressMixin, forms.ModelForm):
    class Meta:
        model = User
        fields = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser", "groups")

    def clean_username(self) -> str:
        username = self.cleaned_data["username"]
        if User.objects.by_login(username).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("This username is taken.")
        return username


class CreationForm(AddressMixin, UserCreationForm):
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
    readonly_fields = ("usercode", "email_verified_at", "last_login", "date_joined", "set_password")
    fieldsets = (
        (None, {"fields": ("username", "email", "email_verified_at", "usercode", "set_password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("When", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "email", "password1", "password2")}),)
    filter_horizontal = ("groups", "user_permissions")
    actions = ("verify", "deactivate", "send_reset")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Rights are given by a superuser alone: whoever may edit users must not be able to make themselves one."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self.may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self.may_touch(request, obj)

    @staticmethod
    def may_touch(request: HttpRequest, user: User | None) -> bool:
        return user is None or request.user.is_superuser or not (user.is_superuser or user.is_staff)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes with a user needs no permission of its own: much of it is read-only to everybody."""
        shown, counts, _, protected = super().get_deleted_objects(objs, request)
        return shown, counts, set(), protected

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        deletion.remove_user(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in self.touchable(request, queryset):
            deletion.remove_user(user)

    def touchable(self, request: HttpRequest, users: QuerySet[User]) -> list[User]:
        return [user for user in users if self.may_touch(request, user)]

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Another one's. One's own is changed where the present one is asked for, and the session stays a known one."""
        if self.get_object(request, unquote(id)) == request.user:
            return redirect("account-page")
        return super().user_change_password(request, id, form_url)

    @admin.display(boolean=True, description="confirmed")
    def is_verified(self, user: User) -> bool:
        return user.email_verified

    @admin.display(description="password")
    def set_password(self, user: User) -> str:
        url = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">Set another one</a>; every session of the user ends by it.', url)

    @admin.action(description="Confirm the e-mail address", permissions=["change"])
    def verify(self, request: HttpRequest, users: QuerySet[User]) -> None:
        done = sum(registration.mark_verified(user) for user in self.touchable(request, users))
        self.message_user(request, f"{done} confirmed.", messages.SUCCESS)

    @admin.action(description="Deactivate and sign out", permissions=["change"])
    def deactivate(self, request: HttpRequest, users: QuerySet[User]) -> None:
        others = [user for user in self.touchable(request, users) if user.pk != request.user.pk]
        for user in others:
            user.is_active = False
            user.save(update_fields=["is_active"])  # which ends the sessions: receivers.end_sessions
        self.message_user(request, f"{len(others)} deactivated; you yourself never are.", messages.SUCCESS)

    @admin.action(description="Send a link for a new password", permissions=["change"])
    def send_reset(self, request: HttpRequest, users: QuerySet[User]) -> None:
        device = Device.of(request)
        people = self.touchable(request, users)
        for user in people:
            passwords.request_reset(email=user.email, device=device)
        self.message_user(request, f"{len(people)} mails are on their way.", messages.SUCCESS)


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

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # made with the user

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # goes with the user


@admin.register(UserSession)
class UserSessionAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at", "last_used_at", "expires_at", "ended_at", "ip", "user_agent")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "last_used_at")
    search_fields = ("user__username", "user__email", "user__usercode", "ip")
    list_select_related = ("user",)
    fields = ("user", "created_at", "last_used_at", "expires_at", "ended_at", "ip", "user_agent")


@admin.register(AccountLink)
class AccountLinkAdmin(SendAgainAdmin):
    list_display = ("purpose", "email", "user", "created_at", "done_at", "spent_at", "expires_at", "attempts", "error")
    list_filter = (JobStateFilter, "purpose")
    search_fields = ("email", "user__username", "user__usercode")
    list_select_related = ("user",)
    exclude = ("code_hash",)

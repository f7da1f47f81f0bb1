from datetime import timedelta

from django.db import migrations
from django.db.models import F
from django.db.models.functions import Now


def move_unconfirmed_users(apps, schema_editor):
    """Make a pending registration of every user who registered and never confirmed the address.

    The links that were mailed to them work as before. They own nothing; what others shared with them is deleted.
    """
    User = apps.get_model("accounts", "User")
    PendingRegistration = apps.get_model("accounts", "PendingRegistration")
    AccountLink = apps.get_model("accounts", "AccountLink")
    unconfirmed = list(
        User.objects.filter(
            email_verified_at=None, last_login=None, is_staff=False, is_superuser=False, is_active=True
        ).order_by("pk")
    )
    for user in unconfirmed:
        registration = PendingRegistration.objects.create(
            email=user.email, username=user.username, password=user.password, created_at=user.date_joined,
            expires_at=Now() + timedelta(days=7),
        )
        AccountLink.objects.filter(user=user, purpose="verify_email").update(user=None, registration=registration)
        User.objects.filter(pk=user.pk).delete()
    if unconfirmed:  # cached lists may show them as collaborators
        apps.get_model("config", "CacheGeneration").objects.update(value=F("value") + 1)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0004_pending_registrations"),
        ("config", "0001_initial"),
    ]

    operations = [migrations.RunPython(move_unconfirmed_users, migrations.RunPython.noop)]

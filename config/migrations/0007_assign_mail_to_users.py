from django.db import migrations

# The address is the present one, or the text names the account; not the e-mail about the end of an earlier account.
ASSIGN = """
UPDATE config_outgoingmail m SET user_id = u.id FROM accounts_user u
WHERE m.user_id IS NULL AND m.template <> 'account_deleted' AND u.date_joined <= m.created_at
  AND (lower(m."to") = u.email_lower OR lower(m.context ->> 'username') = u.username_lower)
"""


class Migration(migrations.Migration):

    dependencies = [("accounts", "0001_initial"), ("config", "0006_mail_of_user")]

    operations = [migrations.RunSQL(ASSIGN, migrations.RunSQL.noop)]

"""The record is append-only for the application itself: the database refuses to change or delete a row."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

REFUSE = """
CREATE FUNCTION slipway_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON registry_auditevent
    FOR EACH ROW EXECUTE FUNCTION slipway_append_only();
"""
ALLOW = """
DROP TRIGGER append_only ON registry_auditevent;
DROP FUNCTION slipway_append_only();
"""


def create_auditors(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """The site-wide role: whoever is in this group reads the whole record."""
    apps.get_model("auth", "Group").objects.get_or_create(name="auditor")


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [
        migrations.RunSQL(REFUSE, ALLOW),
        migrations.RunPython(create_auditors, migrations.RunPython.noop),
    ]

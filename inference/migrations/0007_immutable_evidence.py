"""What was seen and decided during a rollout never changes once it is written: the database refuses it."""

from __future__ import annotations

from django.db import migrations

TABLES = ("inference_evidencebatch", "inference_analysisrun", "inference_rolloutevent")
REFUSE = "".join(
    f"CREATE TRIGGER immutable BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION slipway_append_only();\n"
    for table in TABLES
)
ALLOW = "".join(f"DROP TRIGGER immutable ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("inference", "0006_rollouts")]
    operations = [migrations.RunSQL(REFUSE, ALLOW)]

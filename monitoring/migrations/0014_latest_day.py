"""A body is known again however far the clock has stepped back since it came.

Ahead of its own time the search went to the end of the day and two hours further. A worker that started anew under a
clock that was right again, after one that had been a day ahead, kept what was repeated a second time. So the log says
which day its latest row is of, and the search goes on to the end of that day: on all others it opens what it opened.
"""

from django.conf import settings
from django.db import migrations

APP = settings.DATABASE_ROLES["app"]

#: A day's number since 1970. A sequence, since it is read for nothing, waits for nobody, and outlives a crash. Of two
#: who set it at once under clocks that differ the lower may win, until the next row comes under the clock that is ahead.
LATEST = f"""
CREATE SEQUENCE monitoring_intake_latest MINVALUE 0;
SELECT setval('monitoring_intake_latest', (now() AT TIME ZONE 'UTC')::date - DATE '1970-01-01');
GRANT SELECT, UPDATE ON SEQUENCE monitoring_intake_latest TO {APP};
"""

KNOWN = """
CREATE FUNCTION intake_known(given_tenant int, given_digest bytea, given_at timestamptz, latest bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    -- At least two days back. Ahead to the latest there is, and the rest of the day and two hours: another node's clock
    -- may be past midnight, and this one's yet to be told of.
    since bigint := floor(extract(epoch FROM given_at - interval '48 hours'))::bigint << 21;
    until bigint := greatest(intake_first_id(((given_at + interval '2 hours') AT TIME ZONE 'UTC')::date + 1),
                             ((latest + 1) * 86400) << 21);
    found_id bigint;
BEGIN
    IF since < intake_first_id(intake_log_begins()) THEN
        since := 0;  -- Rows from before the partitions have small ids.
    END IF;
    SELECT i.id INTO found_id FROM monitoring_intake i
    WHERE i.tenant_id = given_tenant AND i.digest = given_digest AND i.id >= since AND i.id < until LIMIT 1;
    RETURN found_id;
END $$;
"""

KEEP = """
CREATE OR REPLACE FUNCTION intake_keep(
    given_tenant int, given_at timestamptz, given_signal text, given_encoding text, given_headers jsonb,
    given_digest bytea, given_compression text, given_body bytea, given_size int, given_items int, given_rejected int,
    given_rejections jsonb, given_key text, OUT kept_id bigint, OUT repeated boolean
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    day date := (given_at AT TIME ZONE 'UTC')::date;
    day_number bigint := day - DATE '1970-01-01';
    latest bigint;
BEGIN
    -- The unique keys hold within a day only. The same body in flight on both sides of midnight goes to two partitions,
    -- where neither sees the other; so whoever keeps it first holds this lock until its commit, and the other finds it.
    -- Of several bodies in one transaction the locks are taken in the order of their digests, or two may deadlock.
    PERFORM pg_advisory_xact_lock(given_tenant, (get_byte(given_digest, 0) << 24) | (get_byte(given_digest, 1) << 16)
                                                | (get_byte(given_digest, 2) << 8) | get_byte(given_digest, 3));
    latest := coalesce(pg_sequence_last_value('monitoring_intake_latest'), day_number);
    kept_id := intake_known(given_tenant, given_digest, given_at, latest);
    IF kept_id IS NOT NULL THEN
        repeated := true;
        RETURN;
    END IF;
    IF day_number > latest THEN
        -- Before the row is there for anybody to see.
        PERFORM setval('monitoring_intake_latest', day_number);
    END IF;
    IF to_regclass('public.' || intake_partition(day)) IS NULL THEN
        -- Nobody made the day ahead: the clock stepped, or beat is down. Intake goes on.
        PERFORM intake_partition_make(day);
    END IF;
    kept_id := intake_new_id(given_at);
    INSERT INTO monitoring_intake (
        id, tenant_id, received_at, signal, encoding, headers, digest, compression, body, size, items, rejected,
        rejections, key_prefix
    ) VALUES (
        kept_id, given_tenant, given_at, given_signal, given_encoding, given_headers, given_digest, given_compression,
        given_body, given_size, given_items, given_rejected, given_rejections, given_key
    );
    repeated := false;
END $$;
DROP FUNCTION intake_known(int, bytea, timestamptz);
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0013_fewer_turns")]

    operations = [migrations.RunSQL(part) for part in (LATEST, KNOWN, KEEP)]

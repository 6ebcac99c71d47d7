"""The intake log in one partition for each UTC day: kept, recognised, made ahead and dropped by functions of its own.

An id says when its row arrived: the seconds since 1970 shifted left by 21 bits, and below them a running number. So the
key (tenant_id, id) is partitioned by day, a lookup by id opens one partition, and ids stay under 2^53, which every
JSON reader takes, until the year 2106. Rows from before this migration keep their small ids and with them their
locators; they stand in the partition `monitoring_intake_before`.
"""

from django.conf import settings
from django.db import migrations, models
import django.db.models.deletion

APP = settings.DATABASE_ROLES["app"]

#: The old table becomes a partition. No policy is needed on it: the app reads and writes the parent alone.
#: No foreign key points at the log any more: each would keep a day from being dropped. What they held are locators, as
#: `monitoring_run.intakes` always was: who follows one may find that the payload is no longer kept.
SET_ASIDE = f"""
ALTER TABLE monitoring_event DROP CONSTRAINT monitoring_event_intake_id_tenant_fk;
ALTER TABLE monitoring_deadletter DROP CONSTRAINT monitoring_deadletter_intake_id_tenant_fk;
ALTER TABLE monitoring_tracelog DROP CONSTRAINT monitoring_tracelog_intake_id_tenant_fk;
ALTER TABLE monitoring_intake RENAME TO monitoring_intake_before;
ALTER TABLE monitoring_intake_before RENAME CONSTRAINT monitoring_intake_pkey TO monitoring_intake_before_pkey;
ALTER TABLE monitoring_intake_before ALTER COLUMN id DROP IDENTITY;
DROP POLICY tenant ON monitoring_intake_before;
REVOKE ALL ON monitoring_intake_before FROM {APP};
DROP INDEX intake_by_time;
ALTER TABLE monitoring_intake_before RENAME CONSTRAINT intake_digest TO monitoring_intake_before_digest;
DO $$
DECLARE
    tenant_key text := (SELECT conname FROM pg_constraint
                        WHERE conrelid = 'monitoring_intake_before'::regclass AND contype = 'f');
BEGIN
    EXECUTE format('ALTER TABLE monitoring_intake_before DROP CONSTRAINT %I', tenant_key);
    -- Ids of days before this one belong to the old table.
    EXECUTE format('CREATE FUNCTION intake_log_begins() RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %L',
                   format('SELECT DATE %L', (now() AT TIME ZONE 'UTC')::date));
END $$;
"""

NUMBERS = f"""
CREATE SEQUENCE monitoring_intake_number;
GRANT USAGE ON SEQUENCE monitoring_intake_number TO {APP};
CREATE FUNCTION intake_first_id(day date) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT ((day - DATE ''1970-01-01'')::bigint * 86400) << 21';
CREATE FUNCTION intake_new_id(received_at timestamptz) RETURNS bigint LANGUAGE sql VOLATILE
AS 'SELECT (floor(extract(epoch FROM received_at))::bigint << 21) | (nextval(''monitoring_intake_number'') & 2097151)';
CREATE FUNCTION intake_partition(day date) RETURNS text LANGUAGE sql STABLE
AS 'SELECT ''monitoring_intake_'' || to_char(day, ''YYYYMMDD'')';
"""

#: No foreign key to the tenant: it would lock the tenant's row for each request, and the tenant is known from its key.
#: No compression: bodies come compressed. No index on received_at, B-tree or BRIN: an id says the time.
PARENT = f"""
CREATE TABLE monitoring_intake (LIKE monitoring_intake_before INCLUDING DEFAULTS) PARTITION BY RANGE (id);
ALTER TABLE monitoring_intake ALTER COLUMN id SET DEFAULT intake_new_id(clock_timestamp());
ALTER TABLE monitoring_intake ADD PRIMARY KEY (tenant_id, id);
ALTER TABLE monitoring_intake ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE monitoring_intake_before ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE monitoring_intake ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON monitoring_intake USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
GRANT SELECT, INSERT ON monitoring_intake TO {APP};
DO $$ BEGIN
    EXECUTE format('ALTER TABLE monitoring_intake ATTACH PARTITION monitoring_intake_before '
                   'FOR VALUES FROM (MINVALUE) TO (%s)', intake_first_id(intake_log_begins()));
END $$;
"""

#: The app owns nothing, so what makes partitions runs as the owner, with a search path nobody can bend.
MAKE = """
CREATE FUNCTION intake_partition_make(day date) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    made text := intake_partition(day);
BEGIN
    IF to_regclass(made) IS NOT NULL THEN
        RETURN false;
    END IF;
    IF day < intake_log_begins() AND to_regclass('monitoring_intake_before') IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Attaching takes this lock, which lets requests read and write; CREATE TABLE ... PARTITION OF would stop them.
    -- One maker goes first, those who waited find the partition made.
    LOCK TABLE monitoring_intake IN SHARE UPDATE EXCLUSIVE MODE;
    IF to_regclass(made) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE monitoring_intake INCLUDING DEFAULTS INCLUDING STORAGE '
                   'INCLUDING INDEXES)', made);
    -- Unique within the day; over days intake_keep looks, because a key of the whole log would have to hold the id.
    EXECUTE format('CREATE UNIQUE INDEX %I ON public.%I (tenant_id, digest)', made || '_digest', made);
    -- No policy, so a grant on a partition that somebody makes by mistake shows nothing.
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', made);
    EXECUTE format('ALTER TABLE monitoring_intake ATTACH PARTITION public.%I FOR VALUES FROM (%s) TO (%s)',
                   made, intake_first_id(day), intake_first_id(day + 1));
    RETURN true;
END $$;

CREATE FUNCTION intake_partitions_make(days_ahead int) RETURNS int LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT count(*) FILTER (WHERE intake_partition_make((clock_timestamp() AT TIME ZONE 'UTC')::date + ahead))::int
    FROM generate_series(0, least(days_ahead, 366)) AS ahead
$$;
SELECT intake_partitions_make(7);
"""

#: Row-level security holds in it, for it runs as its caller. Under READ COMMITTED each statement of a function in
#: PL/pgSQL sees what was committed when the statement began, so the search sees what the lock waited for.
KEEP = """
-- A plan for any day would hold every partition and lock them all at each call; one for these days holds three or four.
-- (That costs about 150 us a call; at 400 partitions the first would cost more, and fill the table of locks.)
CREATE FUNCTION intake_known(given_tenant int, given_digest bytea, given_at timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    -- At least two days back; ahead the rest of the day, and two hours: another node's clock may be past midnight.
    since bigint := floor(extract(epoch FROM given_at - interval '48 hours'))::bigint << 21;
    until bigint := intake_first_id(((given_at + interval '2 hours') AT TIME ZONE 'UTC')::date + 1);
    found_id bigint;
BEGIN
    IF since < intake_first_id(intake_log_begins()) THEN
        since := 0;  -- Rows from before the partitions have small ids.
    END IF;
    SELECT i.id INTO found_id FROM monitoring_intake i
    WHERE i.tenant_id = given_tenant AND i.digest = given_digest AND i.id >= since AND i.id < until LIMIT 1;
    RETURN found_id;
END $$;

CREATE FUNCTION intake_keep(
    given_tenant int, given_at timestamptz, given_signal text, given_encoding text, given_headers jsonb,
    given_digest bytea, given_compression text, given_body bytea, given_size int, given_items int, given_rejected int,
    given_rejections jsonb, given_key text, OUT kept_id bigint, OUT repeated boolean
) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    day date := (given_at AT TIME ZONE 'UTC')::date;
BEGIN
    -- The unique keys hold within a day only. The same body in flight on both sides of midnight goes to two partitions,
    -- where neither sees the other; so whoever keeps it first holds this lock until its commit, and the other finds it.
    -- Of several bodies in one transaction the locks are taken in the order of their digests, or two may deadlock.
    PERFORM pg_advisory_xact_lock(given_tenant, (get_byte(given_digest, 0) << 24) | (get_byte(given_digest, 1) << 16)
                                                | (get_byte(given_digest, 2) << 8) | get_byte(given_digest, 3));
    kept_id := intake_known(given_tenant, given_digest, given_at);
    IF kept_id IS NOT NULL THEN
        repeated := true;
        RETURN;
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
"""

GRANTS = f"""
REVOKE ALL ON FUNCTION intake_partition_make(date), intake_partitions_make(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION intake_partition_make(date), intake_partitions_make(int) TO {APP};
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0002_fence")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(part) for part in (SET_ASIDE, NUMBERS, PARENT, MAKE, KEEP, GRANTS)
            ],
            state_operations=[
                migrations.RemoveConstraint("Intake", "intake_digest"),
                migrations.RemoveIndex("Intake", "intake_by_time"),
                migrations.AlterField(
                    "Intake",
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT,
                        related_name="+", to="partners.tenant",
                    ),
                ),
            ],
        ),
    ]

"""The audit trigger's function: one append-only entry for each write of a governed table.

It stands on the bottom floor because the tables it watches do; the table it writes to belongs to governance and is
found when the trigger runs. No actor in the transaction's context: the write fails.
"""

CREATE = """
CREATE FUNCTION audit_write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor text := nullif(current_setting('app.actor', true), '');
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    any_row jsonb := coalesce(new_row, old_row);
    hidden text;
BEGIN
    IF actor IS NULL THEN
        RAISE EXCEPTION '% on % refused: nobody is named as the actor of this transaction', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'insufficient_privilege', HINT = 'Write inside tenant_scope(..., actor=...).';
    END IF;
    IF TG_OP = 'UPDATE' AND old_row = new_row THEN
        RETURN NULL;
    END IF;
    FOREACH hidden IN ARRAY coalesce(TG_ARGV, '{}') LOOP
        -- A secret leaves no trace of its value, only of having changed.
        IF TG_OP = 'UPDATE' AND old_row -> hidden IS DISTINCT FROM new_row -> hidden THEN
            new_row := jsonb_set(new_row, ARRAY[hidden], '"(changed)"');
        ELSIF new_row IS NOT NULL THEN
            new_row := jsonb_set(new_row, ARRAY[hidden], '"(hidden)"');
        END IF;
        IF old_row IS NOT NULL THEN
            old_row := jsonb_set(old_row, ARRAY[hidden], '"(hidden)"');
        END IF;
    END LOOP;
    INSERT INTO governance_auditentry
        (tenant_id, at, actor, on_behalf_of, action, reason, object_type, object_id, before, after)
    VALUES (
        coalesce((any_row ->> 'tenant_id')::int, 0), clock_timestamp(), actor,
        coalesce(current_setting('app.on_behalf_of', true), ''), lower(TG_OP),
        coalesce(current_setting('app.reason', true), ''), TG_TABLE_NAME, any_row ->> 'id', old_row, new_row
    );
    RETURN NULL;
END $$
"""

DROP = "DROP FUNCTION audit_write()"

-- What a stock PostgreSQL can check of Citus' rules: the functions record their calls, refuse keys without the
-- distribution column, and from then on refuse to change a row's distribution column, as Citus does.
CREATE SCHEMA citus_stub;
CREATE TABLE citus_stub.calls (position serial, name text, by text, beside text, rows_before bigint);
CREATE FUNCTION citus_stub.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'modifying the partition value of rows is not allowed (%)', TG_TABLE_NAME;
END $$;
CREATE FUNCTION public.create_distributed_table(
    table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
    colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bad text;
    held bigint;
BEGIN
    SELECT string_agg(c.relname, ', ') INTO bad
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = table_name AND i.indisunique AND NOT EXISTS (
        SELECT 1 FROM pg_attribute a
        WHERE a.attrelid = table_name AND a.attname = distribution_column AND a.attnum = ANY (i.indkey)
    );
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'cannot create constraint on "%": % lacks the partition column', table_name, bad;
    END IF;
    IF colocate_with NOT IN ('none', 'default')
        AND NOT EXISTS (SELECT 1 FROM citus_stub.calls WHERE name = colocate_with AND by = distribution_column)
    THEN
        RAISE EXCEPTION 'relation % is not distributed', colocate_with;
    END IF;
    EXECUTE format('SELECT count(*) FROM %s', table_name) INTO held;
    INSERT INTO citus_stub.calls (name, by, beside, rows_before)
    VALUES (table_name::text, distribution_column, colocate_with, held);
    EXECUTE format(
        'CREATE TRIGGER fixed_place BEFORE UPDATE ON %s FOR EACH ROW '
        'WHEN (OLD.%I IS DISTINCT FROM NEW.%I) EXECUTE FUNCTION citus_stub.refuse()',
        table_name, distribution_column, distribution_column
    );
END $$;
CREATE FUNCTION public.create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO citus_stub.calls (name) VALUES (table_name::text);
$$;

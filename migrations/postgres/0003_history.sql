-- What happened to each subscription, line by line; written once and kept.
CREATE TABLE history (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    what TEXT NOT NULL,
    happened_at TIMESTAMPTZ,
    event TEXT,
    outcome TEXT NOT NULL,
    word TEXT NOT NULL,
    anomaly TEXT,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL
);

CREATE INDEX history_by_subscription ON history (subscription, number);

-- The history is evidence in a dispute about money, so neither a bug nor a hurried hand may rewrite it.
CREATE FUNCTION history_refuses_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history is append-only' USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION history_refuses_changes();

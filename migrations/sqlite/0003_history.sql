-- What happened to each subscription, line by line; written once and kept.
CREATE TABLE history (
    -- AUTOINCREMENT, so that no number is ever given twice.
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    at INTEGER NOT NULL,
    what TEXT NOT NULL,
    happened_at INTEGER,
    event TEXT,
    outcome TEXT NOT NULL,
    word TEXT NOT NULL,
    anomaly TEXT,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX history_by_subscription ON history (subscription, number);

-- The history is evidence in a dispute about money, so neither a bug nor a hurried hand may rewrite it.
CREATE TRIGGER history_refuses_updates BEFORE UPDATE ON history
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TRIGGER history_refuses_deletes BEFORE DELETE ON history
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

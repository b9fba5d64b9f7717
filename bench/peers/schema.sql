-- What a worker of one's own would keep: less than Stallkeeper, so that nothing is held against it.
CREATE TABLE IF NOT EXISTS inbox (
    id TEXT PRIMARY KEY,
    subscription TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    body TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS subscriptions (
    key TEXT PRIMARY KEY,
    state JSONB NOT NULL,
    happened_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS history (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription TEXT NOT NULL,
    notification TEXT NOT NULL,
    what TEXT NOT NULL,
    happened_at TIMESTAMPTZ NOT NULL,
    status TEXT NOT NULL
);

CREATE INDEX IF NOT EXISTS history_by_subscription ON history (subscription, number);

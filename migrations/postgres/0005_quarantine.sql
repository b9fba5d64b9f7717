-- Messages that could not be taken in, until a person decides about them.
-- Known by the hash of their bytes, so that a forgery cannot pass for a true message that came before.
CREATE TABLE quarantine (
    marketplace TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    message_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body BYTEA NOT NULL,
    sent_at TIMESTAMPTZ,
    first_seen_at TIMESTAMPTZ NOT NULL,
    last_seen_at TIMESTAMPTZ NOT NULL,
    seen BIGINT NOT NULL DEFAULT 1,
    state TEXT COLLATE "C" NOT NULL DEFAULT 'held',
    settled_by TEXT,
    settled_at TIMESTAMPTZ,
    PRIMARY KEY (marketplace, hash)
);

-- People name a message by the first digits of its hash.
CREATE INDEX quarantine_by_hash ON quarantine (hash);

CREATE INDEX quarantine_by_state ON quarantine (state, marketplace, hash);

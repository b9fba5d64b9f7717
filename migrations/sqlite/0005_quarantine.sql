-- Messages that could not be taken in, until a person decides about them.
-- Known by the hash of their bytes, so that a forgery cannot pass for a true message that came before.
CREATE TABLE quarantine (
    marketplace TEXT NOT NULL,
    hash TEXT NOT NULL,
    message_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body BLOB NOT NULL,
    sent_at INTEGER,
    first_seen_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    seen INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL DEFAULT 'held',
    settled_by TEXT,
    settled_at INTEGER,
    PRIMARY KEY (marketplace, hash)
) STRICT;

-- People name a message by the first digits of its hash.
CREATE INDEX quarantine_by_hash ON quarantine (hash);

CREATE INDEX quarantine_by_state ON quarantine (state, marketplace, hash);

-- Every notification that was taken in, so that it is taken in once and can be looked up.
-- Times are microseconds since 1970-01-01T00:00:00Z; text is compared byte by byte, as the worker does.
CREATE TABLE inbox (
    marketplace TEXT NOT NULL,
    id TEXT NOT NULL,
    subscription TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'applied',
    -- Bytes rather than text: a message may hold anything, also what text cannot (NUL).
    body BLOB NOT NULL,
    PRIMARY KEY (marketplace, id)
) STRICT;

-- For pruning, which takes the oldest of all marketplaces.
CREATE INDEX inbox_by_age ON inbox (received_at);

-- For the time of a marketplace's newest notification.
CREATE INDEX inbox_by_marketplace ON inbox (marketplace, received_at);

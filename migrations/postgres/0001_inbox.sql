-- Every notification that was taken in, so that it is taken in once and can be looked up.
-- Keys are compared byte by byte (COLLATE "C"), so that the database sorts and locks as the worker does.
CREATE TABLE inbox (
    marketplace TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL DEFAULT 'applied',
    -- Bytes rather than text: a message may hold anything, also what text cannot (NUL).
    body BYTEA NOT NULL,
    PRIMARY KEY (marketplace, id)
);

-- For pruning, which takes the oldest of all marketplaces.
CREATE INDEX inbox_by_age ON inbox (received_at);

-- For the time of a marketplace's newest notification.
CREATE INDEX inbox_by_marketplace ON inbox (marketplace, received_at);

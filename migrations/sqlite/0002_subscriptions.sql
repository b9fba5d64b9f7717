-- One row for each subscription, and one for each agreement whose facts its licenses take.
CREATE TABLE subscriptions (
    -- marketplace/product/holder kind/holder
    key TEXT NOT NULL PRIMARY KEY,
    marketplace TEXT NOT NULL,
    product TEXT NOT NULL,
    holder_kind TEXT NOT NULL,
    holder_id TEXT NOT NULL,
    -- All that is known, as JSON; NULL in a row that only exists to be locked.
    state TEXT,
    -- The columns below repeat what stands in the state, for the listings.
    word TEXT,
    tenant TEXT,
    deadline INTEGER,
    sequence INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- A column of its own, as an index whose condition names the state would have to be renewed whenever
    -- the state changes, which is always.
    listed INTEGER NOT NULL GENERATED ALWAYS AS (state IS NOT NULL AND holder_kind <> 'agreement') STORED
) STRICT;

-- Also for one marketplace's or one product's: their keys stand together.
CREATE INDEX subscriptions_listed ON subscriptions (key) WHERE listed;
CREATE INDEX subscriptions_by_tenant ON subscriptions (tenant, key) WHERE listed AND tenant IS NOT NULL;
CREATE INDEX subscriptions_by_word ON subscriptions (word, key) WHERE listed;

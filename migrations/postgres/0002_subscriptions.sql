-- One row for each subscription, and one for each agreement whose facts its licenses take.
CREATE TABLE subscriptions (
    -- marketplace/product/holder kind/holder
    key TEXT COLLATE "C" PRIMARY KEY,
    marketplace TEXT COLLATE "C" NOT NULL,
    product TEXT COLLATE "C" NOT NULL,
    holder_kind TEXT COLLATE "C" NOT NULL,
    holder_id TEXT COLLATE "C" NOT NULL,
    -- All that is known, as JSON; NULL in a row that only exists to be locked.
    -- TEXT, as JSONB would reorder it, refuse the escape of NUL, and cost time to parse twice.
    state TEXT,
    -- The columns below repeat what stands in the state, for the listings.
    word TEXT COLLATE "C",
    tenant TEXT COLLATE "C",
    deadline TIMESTAMPTZ,
    sequence BIGINT NOT NULL DEFAULT 0,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    -- A column of its own, as an index whose condition names the state would have to be renewed whenever
    -- the state changes, which is always.
    listed BOOLEAN NOT NULL GENERATED ALWAYS AS (state IS NOT NULL AND holder_kind <> 'agreement') STORED
)
-- Room in each page, so that a row's next version stays there and no index has to follow it.
WITH (fillfactor = 80);

-- Also for one marketplace's or one product's: their keys stand together.
CREATE INDEX subscriptions_listed ON subscriptions (key) WHERE listed;
CREATE INDEX subscriptions_by_tenant ON subscriptions (tenant, key) WHERE listed AND tenant IS NOT NULL;
CREATE INDEX subscriptions_by_word ON subscriptions (word, key) WHERE listed;

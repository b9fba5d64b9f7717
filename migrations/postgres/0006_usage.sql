-- What the ledger knows of each metered subscription; whoever counts, closes or carries holds its row.
CREATE TABLE meters (
    subscription TEXT COLLATE "C" PRIMARY KEY,
    marketplace TEXT COLLATE "C" NOT NULL,
    product TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C",
    -- All that is known, as JSON.
    state TEXT NOT NULL,
    -- When the final-usage window closes, while it is open.
    deadline TIMESTAMPTZ,
    -- The same while something is left to be frozen.
    cut_by TIMESTAMPTZ,
    -- Up to where usage has to be complete for something to be closed.
    closes_by_word TIMESTAMPTZ,
    -- When it is looked at by time.
    look_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ NOT NULL
)
WITH (fillfactor = 80);

CREATE INDEX meters_by_tenant ON meters (tenant, subscription) WHERE tenant IS NOT NULL;
CREATE INDEX meters_due ON meters (look_at, subscription) WHERE look_at IS NOT NULL;
CREATE INDEX meters_to_cut ON meters (marketplace, cut_by, subscription) WHERE cut_by IS NOT NULL;
CREATE INDEX meters_leaving ON meters (deadline, marketplace, subscription) WHERE deadline IS NOT NULL;
CREATE INDEX meters_complete ON meters (marketplace, product, closes_by_word, subscription)
    WHERE closes_by_word IS NOT NULL;

-- What the app reported. The number is the order of storing.
CREATE TABLE usage_events (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product TEXT COLLATE "C" NOT NULL,
    tenant TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    subscription TEXT COLLATE "C" NOT NULL,
    -- What the marketplace calls the dimension.
    dimension TEXT COLLATE "C" NOT NULL,
    -- The hour in which it happened, counted since 1970.
    hour BIGINT NOT NULL,
    -- counted, held, lost
    state TEXT COLLATE "C" NOT NULL,
    -- What is counted of it, in the dimension's smallest parts.
    counted BIGINT NOT NULL,
    -- While it is held: for what, and when it is too late for it.
    held_for TEXT COLLATE "C",
    held_until TIMESTAMPTZ,
    received_at TIMESTAMPTZ NOT NULL,
    -- What the app said, to tell the same id with other content.
    content TEXT NOT NULL,
    -- All of it, as JSON.
    event TEXT NOT NULL,
    CONSTRAINT usage_events_id UNIQUE (product, tenant, id)
);

CREATE INDEX usage_events_by_hour ON usage_events (subscription, hour, number);
CREATE INDEX usage_events_held ON usage_events (subscription, held_until, number) WHERE state = 'held';
CREATE INDEX usage_events_held_until ON usage_events (held_until, number) WHERE state = 'held';
CREATE INDEX usage_events_held_for ON usage_events (held_for, number) WHERE state = 'held';

-- What is metered for one hour; the key is the marketplace's own.
CREATE TABLE usage_records (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    dimension TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C" NOT NULL,
    marketplace TEXT COLLATE "C" NOT NULL,
    product TEXT COLLATE "C" NOT NULL,
    -- open, frozen, settled, settled_assumed, conflict, rejected, expired, not_subscribed
    state TEXT COLLATE "C" NOT NULL,
    -- What is reported, or would be, in the dimension's smallest parts.
    parts BIGINT NOT NULL,
    frozen_at TIMESTAMPTZ,
    -- The first instant at which it may not be sent any more.
    expires_at TIMESTAMPTZ,
    -- It is sent again no earlier; NULL where it may be sent at once.
    retry_at TIMESTAMPTZ,
    -- All of it, as JSON, the frozen report included.
    record TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    CONSTRAINT usage_records_key UNIQUE (subscription, hour, dimension, region)
)
WITH (fillfactor = 70);

CREATE INDEX usage_records_by_hour ON usage_records (subscription, hour, number);
CREATE INDEX usage_records_live ON usage_records (subscription, number) WHERE state IN ('open', 'frozen');
CREATE INDEX usage_records_unsent ON usage_records (marketplace, expires_at, number)
    WHERE state = 'frozen' AND retry_at IS NULL;
CREATE INDEX usage_records_waiting ON usage_records (marketplace, retry_at, number)
    WHERE state = 'frozen' AND retry_at IS NOT NULL;
CREATE INDEX usage_records_expiring ON usage_records (expires_at, number) WHERE state = 'frozen';
CREATE INDEX usage_records_oldest ON usage_records (hour, number) WHERE state = 'frozen';
CREATE INDEX usage_records_ended ON usage_records (state, number)
    WHERE state IN ('conflict', 'rejected', 'expired', 'not_subscribed');

-- Usage that is not billed, each unit with its reason. Lines are added and, where a record was taken all the
-- same, marked; never removed but by age.
CREATE TABLE usage_losses (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription TEXT COLLATE "C" NOT NULL,
    dimension TEXT COLLATE "C" NOT NULL,
    hour BIGINT NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    -- In the dimension's smallest parts.
    parts BIGINT NOT NULL,
    -- Whether it is a whole record's, which may turn out to be billed.
    of_record BOOLEAN NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    recovered_at TIMESTAMPTZ,
    -- All of it, as JSON.
    loss TEXT NOT NULL
);

CREATE INDEX usage_losses_by_subscription ON usage_losses (subscription, number);
CREATE INDEX usage_losses_of_records ON usage_losses (subscription, hour, dimension)
    WHERE of_record AND recovered_at IS NULL;

-- Requests to the marketplace, each stored before it is made.
CREATE TABLE usage_attempts (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane TEXT COLLATE "C" NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    -- The numbers of its records, as a JSON list.
    records TEXT NOT NULL,
    ended_at TIMESTAMPTZ,
    request_id TEXT,
    error TEXT
);

-- Up to when a source has said that a whole product's usage is complete.
CREATE TABLE usage_watermarks (
    product TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    complete_through TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (product, source)
);

-- Products whose metering is held.
CREATE TABLE metering_holds (
    product TEXT COLLATE "C" PRIMARY KEY,
    actor TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL
);

-- What one worker does at a time.
CREATE TABLE leases (
    name TEXT COLLATE "C" PRIMARY KEY,
    holder TEXT NOT NULL,
    until TIMESTAMPTZ NOT NULL
);

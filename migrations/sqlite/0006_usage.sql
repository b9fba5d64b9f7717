-- What the ledger knows of each metered subscription; whoever counts, closes or carries holds its row.
CREATE TABLE meters (
    subscription TEXT NOT NULL PRIMARY KEY,
    marketplace TEXT NOT NULL,
    product TEXT NOT NULL,
    tenant TEXT,
    -- All that is known, as JSON.
    state TEXT NOT NULL,
    -- When the final-usage window closes, while it is open.
    deadline INTEGER,
    -- The same while something is left to be frozen.
    cut_by INTEGER,
    -- Up to where usage has to be complete for something to be closed.
    closes_by_word INTEGER,
    -- When it is looked at by time.
    look_at INTEGER,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX meters_by_tenant ON meters (tenant, subscription) WHERE tenant IS NOT NULL;
CREATE INDEX meters_due ON meters (look_at, subscription) WHERE look_at IS NOT NULL;
CREATE INDEX meters_to_cut ON meters (marketplace, cut_by, subscription) WHERE cut_by IS NOT NULL;
CREATE INDEX meters_leaving ON meters (deadline, marketplace, subscription) WHERE deadline IS NOT NULL;
CREATE INDEX meters_complete ON meters (marketplace, product, closes_by_word, subscription)
    WHERE closes_by_word IS NOT NULL;

-- What the app reported. The number is the order of storing.
CREATE TABLE usage_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    product TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    subscription TEXT NOT NULL,
    -- What the marketplace calls the dimension.
    dimension TEXT NOT NULL,
    -- The hour in which it happened, counted since 1970.
    hour INTEGER NOT NULL,
    -- counted, held, lost
    state TEXT NOT NULL,
    -- What is counted of it, in the dimension's smallest parts.
    counted INTEGER NOT NULL,
    -- While it is held: for what, and when it is too late for it.
    held_for TEXT,
    held_until INTEGER,
    received_at INTEGER NOT NULL,
    -- What the app said, to tell the same id with other content.
    content TEXT NOT NULL,
    -- All of it, as JSON.
    event TEXT NOT NULL,
    CONSTRAINT usage_events_id UNIQUE (product, tenant, id)
) STRICT;

CREATE INDEX usage_events_by_hour ON usage_events (subscription, hour, number);
CREATE INDEX usage_events_held ON usage_events (subscription, held_until, number) WHERE state = 'held';
CREATE INDEX usage_events_held_until ON usage_events (held_until, number) WHERE state = 'held';
CREATE INDEX usage_events_held_for ON usage_events (held_for, number) WHERE state = 'held';

-- What is metered for one hour; the key is the marketplace's own.
CREATE TABLE usage_records (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    hour INTEGER NOT NULL,
    dimension TEXT NOT NULL,
    region TEXT NOT NULL,
    marketplace TEXT NOT NULL,
    product TEXT NOT NULL,
    -- open, frozen, settled, settled_assumed, conflict, rejected, expired, not_subscribed
    state TEXT NOT NULL,
    -- What is reported, or would be, in the dimension's smallest parts.
    parts INTEGER NOT NULL,
    frozen_at INTEGER,
    -- The first instant at which it may not be sent any more.
    expires_at INTEGER,
    -- It is sent again no earlier; NULL where it may be sent at once.
    retry_at INTEGER,
    -- All of it, as JSON, the frozen report included.
    record TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT usage_records_key UNIQUE (subscription, hour, dimension, region)
) STRICT;

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
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    dimension TEXT NOT NULL,
    hour INTEGER NOT NULL,
    reason TEXT NOT NULL,
    -- In the dimension's smallest parts.
    parts INTEGER NOT NULL,
    -- Whether it is a whole record's, which may turn out to be billed.
    of_record INTEGER NOT NULL,
    at INTEGER NOT NULL,
    recovered_at INTEGER,
    -- All of it, as JSON.
    loss TEXT NOT NULL
) STRICT;

CREATE INDEX usage_losses_by_subscription ON usage_losses (subscription, number);
CREATE INDEX usage_losses_of_records ON usage_losses (subscription, hour, dimension)
    WHERE of_record AND recovered_at IS NULL;

-- Requests to the marketplace, each stored before it is made.
CREATE TABLE usage_attempts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    lane TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- The numbers of its records, as a JSON list.
    records TEXT NOT NULL,
    ended_at INTEGER,
    request_id TEXT,
    error TEXT
) STRICT;

-- Up to when a source has said that a whole product's usage is complete.
CREATE TABLE usage_watermarks (
    product TEXT NOT NULL,
    source TEXT NOT NULL,
    complete_through INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (product, source)
) STRICT;

-- Products whose metering is held.
CREATE TABLE metering_holds (
    product TEXT NOT NULL PRIMARY KEY,
    actor TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;

-- What one worker does at a time.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT;

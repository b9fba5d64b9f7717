// The two ways to store: a transaction for each notification, and one for ten.
// Every statement is named, so that Postgres plans it once for each connection.

import { next } from './notification.mjs';

const CLAIM = {
  name: 'claim',
  text: 'INSERT INTO inbox (id, subscription, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
};
const LOCK = { name: 'lock', text: 'SELECT state FROM subscriptions WHERE key = $1 FOR UPDATE' };
const WRITE = {
  name: 'write',
  text: `INSERT INTO subscriptions (key, state, happened_at) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE
    SET state = EXCLUDED.state, happened_at = EXCLUDED.happened_at, updated_at = now()
    WHERE subscriptions.happened_at <= EXCLUDED.happened_at`,
};
const NOTE = {
  name: 'note',
  text: 'INSERT INTO history (subscription, notification, what, happened_at, status) VALUES ($1, $2, $3, $4, $5)',
};

const CLAIM_ALL = {
  name: 'claim-all',
  text: `INSERT INTO inbox (id, subscription, body)
    SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[]) AS new (id, subscription, body) ORDER BY id
    ON CONFLICT DO NOTHING RETURNING id`,
};
// Rows for newcomers first, so that all rows can be locked in one order: else two transactions could each wait
// for the other.
const PLACE_ALL = {
  name: 'place-all',
  text: `INSERT INTO subscriptions (key, state, happened_at)
    SELECT key, '{}', '-infinity' FROM UNNEST($1::text[]) AS new (key) ORDER BY key
    ON CONFLICT DO NOTHING`,
};
const LOCK_ALL = {
  name: 'lock-all',
  text: 'SELECT key, state FROM subscriptions WHERE key = ANY($1) ORDER BY key FOR UPDATE',
};
const WRITE_ALL = {
  name: 'write-all',
  text: `UPDATE subscriptions SET state = new.state, happened_at = new.happened_at, updated_at = now()
    FROM UNNEST($1::text[], $2::jsonb[], $3::timestamptz[]) AS new (key, state, happened_at)
    WHERE subscriptions.key = new.key`,
};
const NOTE_ALL = {
  name: 'note-all',
  text: `INSERT INTO history (subscription, notification, what, happened_at, status)
    SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])`,
};

/** Runs the work on one connection in one transaction. */
export async function transaction(pool, work) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await work(client);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

/** Takes one notification in. */
export async function takeIn(client, notification, body) {
  const { id, key, what, at } = notification;
  const claimed = await client.query({ ...CLAIM, values: [id, key, body] });
  if (claimed.rowCount === 0) return;
  const { rows } = await client.query({ ...LOCK, values: [key] });
  const state = next(rows[0]?.state, notification);
  await client.query({ ...WRITE, values: [key, JSON.stringify(state), state.happenedAt] });
  await client.query({ ...NOTE, values: [key, id, what, at, state.status] });
}

/** Takes ten notifications in, with hardly more statements than for one. */
export async function takeInAll(client, notifications, bodies) {
  const ids = notifications.map((notification) => notification.id);
  const keys = notifications.map((notification) => notification.key);
  const claimed = await client.query({ ...CLAIM_ALL, values: [ids, keys, bodies] });
  const unclaimed = new Set(claimed.rows.map((row) => row.id));
  const fresh = notifications.filter((notification) => unclaimed.delete(notification.id));
  if (fresh.length === 0) return;
  const touched = [...new Set(fresh.map(({ key }) => key))];
  await client.query({ ...PLACE_ALL, values: [touched] });
  const { rows } = await client.query({ ...LOCK_ALL, values: [touched] });
  const states = new Map(rows.map((row) => [row.key, row.state]));
  const statuses = fresh.map((notification) => {
    const state = next(states.get(notification.key), notification);
    states.set(notification.key, state);
    return state.status;
  });
  const written = [...states.entries()];
  await client.query({
    ...WRITE_ALL,
    values: [
      written.map(([key]) => key),
      written.map(([, state]) => JSON.stringify(state)),
      written.map(([, state]) => state.happenedAt),
    ],
  });
  await client.query({
    ...NOTE_ALL,
    values: [
      fresh.map(({ key }) => key),
      fresh.map(({ id }) => id),
      fresh.map(({ what }) => what),
      fresh.map(({ at }) => at),
      statuses,
    ],
  });
}

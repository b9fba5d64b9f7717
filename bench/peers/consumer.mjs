// The worker that a seller would write himself in Node: sqs-consumer, pg and the AWS SDK.
// usage: node consumer.mjs <message|batch> <consumers>
// Reads DATABASE_URL, QUEUE_URL and what the SDK reads; ends at SIGTERM.

import { readFile } from 'node:fs/promises';

import { SQSClient } from '@aws-sdk/client-sqs';
import pg from 'pg';
import { Consumer } from 'sqs-consumer';

import { read } from './notification.mjs';
import { takeIn, takeInAll, transaction } from './store.mjs';

const BATCH = 10;

const [form, count] = process.argv.slice(2);
const consumers = Number(count);
const { DATABASE_URL, QUEUE_URL } = process.env;

// A connection for everything that may run at once, within reason.
const connections = Math.min(form === 'message' ? consumers * BATCH : consumers, 32);
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: connections });
await pool.query(await readFile(new URL('schema.sql', import.meta.url), 'utf8'));

// As many sockets as there can be calls at once, kept open.
const sqs = new SQSClient({
  endpoint: new URL(QUEUE_URL).origin,
  requestHandler: { httpAgent: { maxSockets: consumers * BATCH + consumers } },
});

async function handleMessage(message) {
  await transaction(pool, (client) => takeIn(client, read(message.Body), message.Body));
  return message;
}

async function handleMessageBatch(messages) {
  const bodies = messages.map((message) => message.Body);
  await transaction(pool, (client) => takeInAll(client, bodies.map(read), bodies));
  return messages;
}

const running = Array.from({ length: consumers }, () => {
  const consumer = Consumer.create({
    queueUrl: QUEUE_URL,
    sqs,
    batchSize: BATCH,
    waitTimeSeconds: 20,
    // What failed comes again at once.
    terminateVisibilityTimeout: true,
    ...(form === 'message' ? { handleMessage } : { handleMessageBatch }),
  });
  consumer.on('error', (error) => console.error(error));
  consumer.on('processing_error', (error) => console.error(error));
  consumer.start();
  return consumer;
});

process.once('SIGTERM', () => {
  running.forEach((consumer) => consumer.stop({ abort: true }));
  process.exit(0);
});

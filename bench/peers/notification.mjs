// What a queue's message says, and what a subscription becomes by it.

const HOUR_MS = 60 * 60 * 1000;

/** An SNS envelope or an EventBridge event, as `{ id, key, what, at, offer }`. */
export function read(text) {
  const body = JSON.parse(text);
  return body.Type === 'Notification' ? fromTopic(body) : fromBus(body);
}

function fromTopic(envelope) {
  const message = JSON.parse(envelope.Message);
  return {
    id: envelope.MessageId,
    key: `${message['product-code']}/customer/${message['customer-identifier']}`,
    what: message.action,
    at: new Date(envelope.Timestamp),
    offer: message['offer-identifier'],
  };
}

function fromBus(event) {
  const { agreement, license, offer } = event.detail;
  return {
    id: event.id,
    key: license ? `license/${license.arn}` : `agreement/${agreement.id}`,
    what: event['detail-type'].split(' - ')[0],
    at: new Date(event.time),
    offer: offer?.id,
  };
}

/** The state after a notification; an older one than the newest so far changes nothing. */
export function next(before, { what, at, offer }) {
  if (before && new Date(before.happenedAt) > at) return before;
  const state = { ...before, happenedAt: at.toISOString(), offer: offer ?? before?.offer };
  switch (what) {
    case 'subscribe-success':
    case 'License Updated':
    case 'Purchase Agreement Created':
      return { ...state, status: 'subscribed', deadline: null };
    case 'subscribe-fail':
      return { ...state, status: 'payment-failed', deadline: null };
    case 'unsubscribe-pending':
    case 'License Deprovisioned':
      return { ...state, status: 'ending', deadline: new Date(at.getTime() + HOUR_MS).toISOString() };
    case 'unsubscribe-success':
    case 'Purchase Agreement Ended':
      return { ...state, status: 'ended', deadline: null };
    default:
      return { ...state, status: state.status ?? 'known' };
  }
}

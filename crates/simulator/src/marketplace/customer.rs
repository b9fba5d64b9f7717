//! What happens to a subscription of a customer, and what the product's topics say of it.

use time::OffsetDateTime;

use crate::marketplace::act::{Act, ActError, Change};
use crate::marketplace::entry::Standing;
use crate::marketplace::ids::Ids;
use crate::marketplace::message::Message;
use crate::marketplace::notice::{Notice, Said};
use crate::marketplace::product::Pricing;
use crate::marketplace::subscription::{LAST_HOUR, Record};

/// Lets an act happen; an error leaves everything as it was.
pub(crate) fn act(
    record: &mut Record,
    act: &Act,
    at: OffsetDateTime,
    ids: &mut Ids,
) -> Result<Vec<Notice>, ActError> {
    // Whoever buys a contract is entitled to something, which is said beside.
    let is_told_twice = matches!(act, Act::Subscribe(_)) && record.product.pricing == Pricing::Contract;
    let at = record.next_moment(at, 1 + i32::from(is_told_twice))?;
    let message = match (act, record.standing) {
        (Act::Subscribe(purchase), Standing::PaymentFailed | Standing::Ending { .. } | Standing::Ended) => {
            record.open_period(at);
            succeed(record, ids.offer(), purchase.trial)
        }
        (Act::Amend(_), Standing::Subscribed) => succeed(record, ids.offer(), false),
        (Act::FailPayment(_), Standing::PaymentFailed | Standing::Ended) => fail(record, ids.offer()),
        (Act::Unsubscribe(_), Standing::Subscribed) => {
            record.standing = Standing::Ending { deadline: at + LAST_HOUR };
            Message::UnsubscribePending
        }
        (Act::ChangeEntitlements(change), Standing::Subscribed) => {
            change_entitlements(record, change);
            Message::EntitlementUpdated
        }
        _ => return Err(record.impossible(act, possible(record))),
    };
    let mut notices = vec![record.say(at, Said::Message(message))];
    if is_told_twice {
        let at = at + record.step();
        notices.push(record.say(at, Said::Message(Message::EntitlementUpdated)));
    }
    Ok(notices)
}

fn change_entitlements(record: &mut Record, change: &Change) {
    match &change.quantities {
        Some(quantities) => record.entitlements.clone_from(quantities),
        None => record.entitlements.values_mut().for_each(|quantity| *quantity = quantity.saturating_add(1)),
    }
}

fn succeed(record: &mut Record, offer: String, trial: bool) -> Message {
    record.standing = Standing::Subscribed;
    record.offer.clone_from(&offer);
    record.trial = trial;
    Message::SubscribeSuccess { offer, trial }
}

fn fail(record: &mut Record, offer: String) -> Message {
    record.standing = Standing::PaymentFailed;
    record.offer.clone_from(&offer);
    record.trial = false;
    Message::SubscribeFail { offer }
}

fn possible(record: &Record) -> &'static str {
    match (record.standing, record.product.pricing) {
        (Standing::Subscribed, Pricing::Subscription) => "amend, unsubscribe",
        (Standing::Subscribed, Pricing::Contract) => "amend, change-entitlements, unsubscribe",
        (Standing::Ending { .. }, _) => "subscribe, or move the clock to the end of the hour",
        (Standing::PaymentFailed | Standing::Ended, _) => "subscribe, fail-payment",
    }
}

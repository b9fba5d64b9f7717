use stallkeeper_simulator::{
    Account, Allocation, Feed, MeteredHolder, MeteringAnswer, MeteringBooks, MeteringCall, MeteringErrorCode,
    MeteringRecord, MeteringRefusal, Period, Pricing, Product, RecordOutcome, Tag,
};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-22 12:30 UTC);
/// The hour before.
pub(crate) const ELEVEN: OffsetDateTime = datetime!(2026-11-22 11:00 UTC);
pub(crate) const ADA: &str = "adaadaadaad";
pub(crate) const ADA_S_ACCOUNT: &str = "111111111111";
pub(crate) const VAULT: &str = "arn:aws:license-manager::287250355862:license:l-1";

/// The bills without the rest of a marketplace. Ada has `search` by customer, and a license each of `vault`,
/// of `depot` and of `search`; all of them since yesterday.
pub(crate) struct Stall {
    pub(crate) books: MeteringBooks,
    pub(crate) now: OffsetDateTime,
    pub(crate) periods: Vec<Period>,
    pub(crate) is_suspended: bool,
}

impl Stall {
    pub(crate) fn new() -> Self {
        let products = [
            Product::new("search", "simsearch", Feed::Sns, Pricing::Subscription),
            Product::new("vault", "simvault", Feed::EventBridge, Pricing::Subscription),
            Product::new("depot", "simdepot", Feed::EventBridge, Pricing::Subscription)
                .with_dimensions(&["bytes", "hits"]),
        ];
        let periods = vec![Period { from: NOW - Duration::DAY, to: None }];
        Self { books: MeteringBooks::new(&products, 7), now: NOW, periods, is_suspended: false }
    }

    pub(crate) fn at(now: OffsetDateTime) -> Self {
        let periods = vec![Period { from: now - Duration::days(40), to: None }];
        Self { now, periods, ..Self::new() }
    }

    pub(crate) fn with_periods(periods: &[(OffsetDateTime, Option<OffsetDateTime>)]) -> Self {
        let periods = periods.iter().map(|(from, to)| Period { from: *from, to: *to }).collect();
        Self { periods, ..Self::new() }
    }

    pub(crate) fn call(&mut self, call: &MeteringCall) -> Result<MeteringAnswer, MeteringRefusal> {
        let (periods, is_suspended) = (&self.periods, self.is_suspended);
        let account = |subscription: &str, code: &str| Account {
            subscription: subscription.into(),
            product_code: code.to_owned(),
            account: ADA_S_ACCOUNT.to_owned(),
            periods: periods.clone(),
            is_suspended,
        };
        let accounts = |holder: &MeteredHolder| match holder {
            MeteredHolder::Customer { product_code, customer_identifier } if customer_identifier == ADA => {
                Some(account("ada", product_code))
            }
            MeteredHolder::CustomerAccount { product_code, account: id } if id == ADA_S_ACCOUNT => {
                Some(account("ada", product_code))
            }
            MeteredHolder::License { license_arn, account: id } if id == ADA_S_ACCOUNT => {
                match license_arn.rsplit(':').next() {
                    Some("l-1") => Some(account("l-1", "simvault")),
                    Some("l-2") => Some(account("l-2", "simdepot")),
                    Some("l-3") => Some(account("l-3", "simsearch")),
                    _ => None,
                }
            }
            _ => None,
        };
        self.books.batch(call, self.now, &accounts)
    }

    /// What becomes of the records of one customer product, one outcome each.
    pub(crate) fn send(&mut self, records: &[MeteringRecord]) -> Vec<RecordOutcome> {
        let answer = self.call(&of_search(records)).unwrap();
        answer.results.into_iter().map(|result| result.outcome).collect()
    }

    pub(crate) fn send_one(&mut self, record: &MeteringRecord) -> RecordOutcome {
        self.send(std::slice::from_ref(record)).remove(0)
    }

    pub(crate) fn refuse(&mut self, call: &MeteringCall) -> MeteringRefusal {
        let billed = self.books.bill().len();
        let refusal = self.call(call).unwrap_err();
        assert_eq!(self.books.bill().len(), billed, "a call that is refused is not done");
        refusal
    }

    /// The name of the refusal of a call with good records around a bad one.
    pub(crate) fn refuse_one(&mut self, bad: MeteringRecord) -> MeteringErrorCode {
        let good = |hours| ada(5, ELEVEN - Duration::hours(hours));
        self.refuse(&of_search(&[good(1), bad, good(2)])).code()
    }

    pub(crate) fn quantities(&self) -> Vec<i64> {
        self.books.bill().iter().map(|entry| entry.quantity).collect()
    }
}

/// A record of Ada as a customer.
pub(crate) fn ada(quantity: i64, timestamp: OffsetDateTime) -> MeteringRecord {
    MeteringRecord::of_customer(ADA, "hits", timestamp, quantity)
}

/// A record of a license of Ada, by its last letters.
pub(crate) fn license(id: &str, quantity: i64, timestamp: OffsetDateTime) -> MeteringRecord {
    let arn = format!("arn:aws:license-manager::287250355862:license:{id}");
    MeteringRecord::of_license(&arn, ADA_S_ACCOUNT, "hits", timestamp, quantity)
}

pub(crate) fn of_search(records: &[MeteringRecord]) -> MeteringCall {
    MeteringCall {
        region: "us-east-1".to_owned(),
        product_code: Some("simsearch".to_owned()),
        records: records.to_vec(),
    }
}

pub(crate) fn of_licenses(records: &[MeteringRecord]) -> MeteringCall {
    MeteringCall { product_code: None, ..of_search(records) }
}

pub(crate) fn part<const N: usize>(quantity: i64, tags: [(&str, &str); N]) -> Allocation {
    let tag = |(key, value): (&str, &str)| Tag { key: key.to_owned(), value: value.to_owned() };
    Allocation { quantity, tags: tags.into_iter().map(tag).collect() }
}

pub(crate) fn split(quantity: i64, allocations: Vec<Allocation>) -> MeteringRecord {
    MeteringRecord { allocations, ..ada(quantity, ELEVEN) }
}

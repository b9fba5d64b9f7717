//! What lets a whole call fail.

use std::collections::HashMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use crate::Product;
use crate::metering::allocation;
use crate::metering::books::Accounts;
use crate::metering::call::{MeteringCall, MeteringRecord};
use crate::metering::holder::{Account, MeteredHolder};
use crate::metering::identity::Scheme;
use crate::metering::refusal::{MeteringRefusal, OutOfBounds};
use crate::metering::window;

const RECORDS_MAX: usize = 25;
/// Read strictly: AWS says 1 MB, so that whoever counts in powers of two is found out.
pub(crate) const BODY_BYTES_MAX: usize = 1_000_000;
const DIMENSION_CHARS_MAX: usize = 255;
const QUANTITY_MAX: i64 = 2_147_483_647;
const REGION_CHARS_MAX: usize = 32;
/// How old usage may be, in seconds; in China by what its guide says.
const AGE_LIMIT_SECS: u64 = 24 * 60 * 60;
const AGE_LIMIT_SECS_CHINA: u64 = 60 * 60;

/// All that is sold, by code.
pub(crate) type Products = HashMap<String, Product>;

/// The account of each record, in their order; none for a customer whom nobody knows.
pub(crate) fn check(
    call: &MeteringCall,
    products: &Products,
    now: OffsetDateTime,
    accounts: Accounts<'_>,
) -> Result<Vec<Option<Arc<Account>>>, MeteringRefusal> {
    check_call(call)?;
    let scheme = Scheme::of(call, |code| products.get(code))?;
    let mut known = Known { accounts, found: Vec::new() };
    let mut checked = Vec::with_capacity(call.records.len());
    let mut sold: Option<&str> = None;
    for (position, record) in call.records.iter().enumerate() {
        let account = known.account(scheme.holder(position, record)?);
        let product = match (scheme, &account) {
            (Scheme::Customers(product), _) => product,
            (Scheme::Licenses, account) => licensed(position, account.as_deref(), products)?,
        };
        if *sold.get_or_insert(&product.code) != product.code {
            return Err(MeteringRefusal::License {
                record: position,
                words: "all records of a call are of licenses of one product",
            });
        }
        check_record(position, record, product)?;
        check_time(position, record, call, product, now)?;
        if matches!(scheme, Scheme::Licenses) {
            check_activation(position, record, account.as_deref())?;
        }
        checked.push(account);
    }
    Ok(checked)
}

/// Looks everybody up once: a call may name one customer in many records.
struct Known<'a> {
    accounts: Accounts<'a>,
    found: Vec<(MeteredHolder, Option<Arc<Account>>)>,
}

impl Known<'_> {
    fn account(&mut self, holder: MeteredHolder) -> Option<Arc<Account>> {
        if let Some((_, account)) = self.found.iter().find(|(known, _)| *known == holder) {
            return account.clone();
        }
        let account = (self.accounts)(&holder).map(Arc::new);
        self.found.push((holder, account.clone()));
        account
    }
}

fn check_call(call: &MeteringCall) -> Result<(), MeteringRefusal> {
    if !is_region(&call.region) {
        return Err(MeteringRefusal::Disabled {
            region: call.region.chars().take(REGION_CHARS_MAX).collect(),
        });
    }
    if call.records.len() > RECORDS_MAX {
        return Err(MeteringRefusal::TooManyRecords { count: call.records.len() });
    }
    let bytes = call.body_bytes();
    if bytes > BODY_BYTES_MAX { Err(MeteringRefusal::TooLong { bytes }) } else { Ok(()) }
}

pub(crate) fn is_region(region: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (2..=REGION_CHARS_MAX).contains(&region.len()) && region.bytes().all(plain)
}

fn licensed<'a>(
    position: usize,
    account: Option<&Account>,
    products: &'a Products,
) -> Result<&'a Product, MeteringRefusal> {
    account.and_then(|account| products.get(&account.product_code)).ok_or(MeteringRefusal::License {
        record: position,
        words: "there is no such license, or it is not this account's",
    })
}

fn check_record(position: usize, record: &MeteringRecord, product: &Product) -> Result<(), MeteringRefusal> {
    let value = |words| MeteringRefusal::Value { record: position, words };
    if !(1..=DIMENSION_CHARS_MAX).contains(&record.dimension.chars().count()) {
        return Err(value("Dimension has 1 to 255 characters"));
    }
    if !(0..=QUANTITY_MAX).contains(&record.quantity) {
        return Err(value("Quantity is 0 to 2147483647"));
    }
    if !product.dimensions.is_empty() && !product.dimensions.contains(&record.dimension) {
        let dimension = record.dimension.clone();
        return Err(MeteringRefusal::Dimension { record: position, dimension });
    }
    allocation::check(position, record)
}

fn check_time(
    position: usize,
    record: &MeteringRecord,
    call: &MeteringCall,
    product: &Product,
    now: OffsetDateTime,
) -> Result<(), MeteringRefusal> {
    let of_partition = if call.region.starts_with("cn-") { AGE_LIMIT_SECS_CHINA } else { AGE_LIMIT_SECS };
    let age_limit_secs = product.metering_age_limit_secs.unwrap_or(of_partition);
    let age_limit = i64::try_from(age_limit_secs).map_or(Duration::MAX, Duration::seconds);
    window::check_time(record.timestamp, now, age_limit).map_err(|why| out_of_bounds(position, record, why))
}

/// A license takes nothing from before it was activated.
fn check_activation(
    position: usize,
    record: &MeteringRecord,
    account: Option<&Account>,
) -> Result<(), MeteringRefusal> {
    let activated = account.and_then(|account| account.periods.first()).map(|period| period.from);
    if activated.is_some_and(|activated| record.timestamp < activated) {
        return Err(out_of_bounds(position, record, OutOfBounds::BeforeLicense));
    }
    Ok(())
}

fn out_of_bounds(position: usize, record: &MeteringRecord, why: OutOfBounds) -> MeteringRefusal {
    MeteringRefusal::Timestamp { record: position, timestamp: record.timestamp, why }
}

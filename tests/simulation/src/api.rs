use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use stallkeeper_ledger::{Call, CallGroup, Report, Who};
use stallkeeper_metering::{CallAnswer, CallError, MeteringApi, RecordAnswer, Resend};
use stallkeeper_runtime::WallClock;
use stallkeeper_simulator::{
    Allocation, MeteringAnswer, MeteringCall, MeteringRecord, MeteringRefusal, RecordOutcome, Tag,
};

use crate::fault::{Faults, Point};
use crate::market::{Market, moment};
use crate::story::Fault;

/// The marketplace's call, answered by its books, with what goes wrong on the way.
pub(crate) struct SimulatedApi {
    /// The marketplace.
    pub(crate) market: Arc<Mutex<Market>>,
    /// Its clock.
    pub(crate) clock: Arc<dyn WallClock>,
    /// What goes wrong.
    pub(crate) faults: Faults,
    /// Where it is.
    pub(crate) region: String,
}

#[async_trait]
impl MeteringApi for SimulatedApi {
    async fn report(&self, call: &Call) -> Result<CallAnswer, CallError> {
        let mut leaves_some = false;
        match self.faults.at(Point::BeforeCall) {
            Some(Fault::CrashBeforeCall(_)) => self.faults.die().await,
            Some(Fault::Throttle(_)) => return Err(CallError::Throttled { request_id: None }),
            Some(Fault::ServerError(_)) => {
                return Err(CallError::Unknown {
                    request_id: None,
                    reason: "InternalServiceError".to_owned(),
                });
            }
            Some(Fault::NotPossible(_)) => {
                let (code, remedy) = ("AccessDenied".to_owned(), "renew the credentials".to_owned());
                return Err(CallError::NotPossible { request_id: None, code, remedy });
            }
            Some(Fault::Unprocessed(_)) => leaves_some = true,
            _ => {}
        }
        let done = self.done(call, leaves_some);
        match self.faults.at(Point::AfterCall) {
            Some(Fault::CrashAfterCall(_)) => self.faults.die().await,
            Some(Fault::LostAnswer(_)) => {
                return Err(CallError::Unknown { request_id: None, reason: "time-out".to_owned() });
            }
            _ => {}
        }
        match done {
            Ok(answer) => Ok(spoken(call, &answer)),
            Err(refusal) => Err(refused(&refusal)),
        }
    }

    fn resend(&self) -> Resend {
        Resend::Safe
    }
}

impl SimulatedApi {
    fn done(&self, call: &Call, leaves_some: bool) -> Result<MeteringAnswer, MeteringRefusal> {
        let product_code = match &call.group {
            CallGroup::Customers(product) => Some(product.to_string()),
            CallGroup::Licenses(_) => None,
        };
        let records = call.records.iter().map(|record| wire(&record.report)).collect();
        let call = MeteringCall { region: self.region.clone(), product_code, records };
        let now = moment(self.clock.now().into());
        let mut market = self.market.lock().unwrap_or_else(PoisonError::into_inner);
        let accounts = market.accounts();
        let find = |holder: &_| {
            accounts.iter().find(|(known, _)| known == holder).map(|(_, account)| account.clone())
        };
        market.books.batch_leaving(&call, now, &find, &mut |position| leaves_some && position % 2 == 0)
    }
}

fn wire(report: &Report) -> MeteringRecord {
    let stamp = moment(report.stamp);
    let (dimension, quantity) = (report.dimension.as_str(), report.quantity);
    let record = match &report.who {
        Who::Customer { customer, .. } => {
            MeteringRecord::of_customer(customer.as_str(), dimension, stamp, quantity)
        }
        Who::License { licensee, .. } => MeteringRecord::of_license(
            licensee.license_arn.as_str(),
            licensee.account.as_str(),
            dimension,
            stamp,
            quantity,
        ),
    };
    let tags = |part: &stallkeeper_ledger::Allocation| {
        let tag = |(key, value): (&String, &String)| Tag { key: key.clone(), value: value.clone() };
        part.tags.tags().iter().map(tag).collect()
    };
    let allocations = report
        .allocations
        .iter()
        .map(|part| Allocation { quantity: part.quantity, tags: tags(part) })
        .collect();
    MeteringRecord { allocations, ..record }
}

fn spoken(call: &Call, answer: &MeteringAnswer) -> CallAnswer {
    let of_record = |report: &Report| {
        let sent = wire(report);
        if answer.unprocessed.contains(&sent) {
            return RecordAnswer::Unprocessed;
        }
        match answer.results.iter().find(|result| result.record == sent).map(|result| &result.outcome) {
            Some(RecordOutcome::Success { record_id }) => {
                RecordAnswer::Accepted { record_id: record_id.clone() }
            }
            Some(RecordOutcome::DuplicateRecord { record_id }) => {
                RecordAnswer::Duplicate { record_id: Some(record_id.clone()) }
            }
            Some(RecordOutcome::CustomerNotSubscribed(_)) => RecordAnswer::NotSubscribed,
            None => RecordAnswer::Missing,
        }
    };
    CallAnswer {
        request_id: Some("simulated".to_owned()),
        records: call.records.iter().map(|record| of_record(&record.report)).collect(),
    }
}

fn refused(refusal: &MeteringRefusal) -> CallError {
    CallError::Refused {
        request_id: None,
        code: refusal.code().as_str().to_owned(),
        message: refusal.to_string(),
    }
}

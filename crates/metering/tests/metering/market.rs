//! The marketplace's call: it does as it is told, and remembers it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use stallkeeper_ledger::{Call, Who};
use stallkeeper_metering::{CallAnswer, CallError, MeteringApi, RecordAnswer, Resend};

type Script = Box<dyn FnOnce(&Call) -> Result<CallAnswer, CallError> + Send>;

/// The marketplace's call: it does as it is told, and else takes everything.
#[derive(Default)]
pub(crate) struct Market {
    calls: Mutex<Vec<Call>>,
    scripts: Mutex<VecDeque<Script>>,
    /// Customers whose records make it refuse a call.
    pub(crate) refused: Mutex<BTreeSet<String>>,
    /// Whether calls are taken and never answered.
    pub(crate) hangs: AtomicBool,
    /// Customers whose calls are taken and never answered.
    pub(crate) unheard: Mutex<BTreeSet<String>>,
    pub(crate) checks_first: AtomicBool,
}

impl Market {
    /// Has the next call answered so.
    pub(crate) fn then(
        &self,
        script: impl FnOnce(&Call) -> Result<CallAnswer, CallError> + Send + 'static,
    ) -> &Self {
        self.scripts.lock().unwrap().push_back(Box::new(script));
        self
    }

    /// Has each record of the next call answered so.
    pub(crate) fn then_each(&self, said: RecordAnswer) -> &Self {
        self.then(move |call| Ok(each(call, |_| said.clone())))
    }

    pub(crate) fn then_fails(&self, error: CallError) -> &Self {
        self.then(move |_| Err(error))
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Waits until a call has come in.
    pub(crate) async fn until_called(&self) {
        while self.calls.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// How many records each call had.
    pub(crate) fn sizes(&self) -> Vec<usize> {
        self.calls().iter().map(|call| call.records.len()).collect()
    }

    /// The customers of a call, in its order.
    pub(crate) fn customers(&self, call: usize) -> Vec<String> {
        self.calls()[call].records.iter().map(|record| customer(&record.report.who)).collect()
    }
}

pub(crate) fn customer(who: &Who) -> String {
    match who {
        Who::Customer { customer, .. } => customer.to_string(),
        Who::License { licensee, .. } => licensee.license_arn.to_string(),
    }
}

pub(crate) fn each(call: &Call, said: impl Fn(usize) -> RecordAnswer) -> CallAnswer {
    let records = (0..call.records.len()).map(said).collect();
    CallAnswer { request_id: Some("req-1".to_owned()), records }
}

pub(crate) fn accepted(call: &Call) -> CallAnswer {
    each(call, |place| RecordAnswer::Accepted { record_id: format!("m{place}") })
}

pub(crate) fn unknown() -> CallError {
    CallError::Unknown { request_id: None, reason: "time-out".to_owned() }
}

pub(crate) fn throttled() -> CallError {
    CallError::Throttled { request_id: None }
}

pub(crate) fn not_possible() -> CallError {
    CallError::NotPossible {
        request_id: None,
        code: "AccessDenied".to_owned(),
        remedy: "allow it in the policy".to_owned(),
    }
}

pub(crate) fn refused(code: &str) -> CallError {
    CallError::Refused { request_id: None, code: code.to_owned(), message: "no".to_owned() }
}

fn has_any(customers: &Mutex<BTreeSet<String>>, call: &Call) -> bool {
    let customers = customers.lock().unwrap();
    call.records.iter().any(|record| customers.contains(&customer(&record.report.who)))
}

#[async_trait]
impl MeteringApi for Market {
    async fn report(&self, call: &Call) -> Result<CallAnswer, CallError> {
        self.calls.lock().unwrap().push(call.clone());
        if self.hangs.load(Ordering::Relaxed) || has_any(&self.unheard, call) {
            std::future::pending::<()>().await;
        }
        let script = self.scripts.lock().unwrap().pop_front();
        let has_refused = has_any(&self.refused, call);
        match script {
            Some(script) => script(call),
            None if has_refused => Err(refused("InvalidUsageDimensionException")),
            None => Ok(accepted(call)),
        }
    }

    fn resend(&self) -> Resend {
        if self.checks_first.load(Ordering::Relaxed) { Resend::CheckFirst } else { Resend::Safe }
    }
}

//! The ledger's statements: every tenant has one meter that runs, and whose usage is counted.

use async_trait::async_trait;
use stallkeeper_ledger::{EventKey, Held, Hour, Loss, Meter, Phase, Record, RecordKey, UsageEvent};
use stallkeeper_lifecycle::{SubscriptionKey, TenantId, Timestamp};
use stallkeeper_persistence::StoreError;
use stallkeeper_persistence::usage::{
    Attempt, AttemptOutcome, LedgerStatements, MeterRow, MeterSelection, Watermark,
};

use super::{ScriptedTransaction, at_noon};

fn running(tenant: &TenantId) -> Meter {
    let mut meter = Meter::new(format!("aws/prod-1/customer/{tenant}").parse().unwrap());
    meter.tenant = Some(tenant.clone());
    meter.phase = Phase::Running;
    meter.first_hour = Hour::of(at_noon());
    meter
}

#[async_trait]
impl LedgerStatements for ScriptedTransaction {
    async fn lock_meters(&mut self, selection: &MeterSelection) -> Result<Vec<Meter>, StoreError> {
        Ok(selection.tenants.iter().map(running).collect())
    }

    async fn write_meters(&mut self, _meters: &[MeterRow], _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim_events(&mut self, events: &[UsageEvent]) -> Result<Vec<(EventKey, String)>, StoreError> {
        self.claimed = events.iter().map(|event| event.key.id.to_string()).collect();
        Ok(Vec::new())
    }

    async fn update_events(&mut self, _events: &[UsageEvent]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn events(&mut self, _keys: &[EventKey]) -> Result<Vec<UsageEvent>, StoreError> {
        Ok(Vec::new())
    }

    async fn live_records(&mut self, _subscriptions: &[SubscriptionKey]) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn held_events(
        &mut self,
        _subscriptions: &[SubscriptionKey],
        _limit: u32,
    ) -> Result<Vec<(SubscriptionKey, Held)>, StoreError> {
        Ok(Vec::new())
    }

    async fn put_records(&mut self, _records: &[Record], _now: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn records(&mut self, _numbers: &[i64]) -> Result<Vec<(i64, Record)>, StoreError> {
        Ok(Vec::new())
    }

    async fn append_losses(&mut self, _losses: &[Loss]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn recover_losses(&mut self, _records: &[RecordKey], _at: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }

    async fn add_attempts(&mut self, _attempts: &[Attempt]) -> Result<Vec<i64>, StoreError> {
        Ok(Vec::new())
    }

    async fn end_attempts(&mut self, _outcomes: &[(i64, AttemptOutcome)]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn put_watermark(&mut self, _watermark: &Watermark, _now: Timestamp) -> Result<bool, StoreError> {
        Ok(true)
    }
}

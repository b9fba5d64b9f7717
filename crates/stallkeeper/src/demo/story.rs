//! The scripted part: each thing that goes wrong in a marketplace integration, once.

use std::time::Duration;

use anyhow::{Context, ensure};
use stallkeeper_lifecycle::{SubscriptionKey, Timestamp};
use stallkeeper_simulator::{Act, Entry, FaultSettings, Whose};

use super::check::{Registrations, Views, compare, said, subscription_key};
use super::configuration::MARKETPLACE;
use super::timeline::{Line, Timeline};
use super::{Mismatch, Stage};

const SEARCH: &str = "search";
const VAULT: &str = "vault";

const REQUESTS: &str = "requests";
const STORAGE: &str = "storage";

const MINUTE: Duration = Duration::from_mins(1);

/// Every third notification comes twice, its copy a little later.
fn faults() -> FaultSettings {
    FaultSettings { duplicate: 0.33, delay_max_ms: 60, ..FaultSettings::default() }
}

/// Whatever is said now is held up, so that what is said next overtakes it.
fn held_up() -> FaultSettings {
    FaultSettings { reorder: 1.0, delay_max_ms: 1_000, ..FaultSettings::default() }
}

/// Plays the script; whatever the worker makes of it is judged at each line. Gives where it was wrong.
///
/// # Errors
/// When a part fails; that the worker is wrong is no error here.
pub async fn play(stage: &Stage, timeline: &mut Timeline<'_>) -> anyhow::Result<Vec<Mismatch>> {
    let mut story = Story { stage, timeline, mismatches: Vec::new() };
    stage.simulator().faults().set(faults())?;
    story.timeline.title()?;
    story.subscriptions_begin().await?;
    story.an_hour_is_billed().await?;
    story.subscriptions_end().await?;
    story.the_last_word_is_lost().await?;
    story.one_account_has_two_licenses().await?;
    stage.simulator().faults().set(FaultSettings::default())?;
    Ok(story.mismatches)
}

pub(super) struct Story<'a, 'out> {
    pub(super) stage: &'a Stage,
    pub(super) timeline: &'a mut Timeline<'out>,
    pub(super) mismatches: Vec<Mismatch>,
}

impl Story<'_, '_> {
    async fn subscriptions_begin(&mut self) -> anyhow::Result<()> {
        let aurora = self.act("aurora", "subscribes to search", Act::subscribe("aurora", SEARCH)).await?;
        self.register("aurora", "sets up the account afterwards", &aurora).await?;
        self.register_first("birch", "sets up an account before the marketplace says a word").await?;
        self.act("birch", "…and is subscribed to search", Act::subscribe("birch", SEARCH)).await?;
        let failed = Act::FailPayment(Whose::only("cedar", SEARCH));
        let cedar = self.act("cedar", "wants to subscribe, but the payment fails", failed).await?;
        self.pass(5 * MINUTE, "five minutes pass").await?;
        self.act("cedar", "tries another card", Act::subscribe("cedar", SEARCH)).await?;
        self.register("cedar", "sets up the account", &cedar).await
    }

    async fn an_hour_is_billed(&mut self) -> anyhow::Result<()> {
        let hour = self.stage.now();
        let used = self.uses("aurora", SEARCH, &[(REQUESTS, "120"), (STORAGE, "1.25")]).await?;
        self.reports_again(&used).await?;
        self.uses("birch", SEARCH, &[(REQUESTS, "40")]).await?;
        self.uses("cedar", SEARCH, &[(REQUESTS, "7"), (STORAGE, "2.5")]).await?;
        self.pass(60 * MINUTE, "an hour passes").await?;
        self.hour_is_complete(SEARCH).await?;
        let what = "pays for the hour from";
        self.billed("aurora", what, hour, &[(REQUESTS, "120"), (STORAGE, "1")])?;
        self.billed("birch", what, hour, &[(REQUESTS, "40")])?;
        self.billed("cedar", what, hour, &[(REQUESTS, "7"), (STORAGE, "2")])
    }

    async fn subscriptions_end(&mut self) -> anyhow::Result<()> {
        let while_subscribed = self.stage.now();
        self.uses("aurora", SEARCH, &[(REQUESTS, "30"), (STORAGE, "0.75")]).await?;
        self.uses("cedar", SEARCH, &[(STORAGE, "0.5")]).await?;
        let aurora = self
            .act("aurora", "unsubscribes: one hour for the final usage", unsubscribe("aurora", SEARCH))
            .await?;
        self.final_hour(&aurora, SEARCH, &[(REQUESTS, "30"), (STORAGE, "1")]).await?;
        self.uses("birch", SEARCH, &[(REQUESTS, "12")]).await?;
        self.pass(30 * MINUTE, "half an hour passes").await?;
        self.unheard("birch", "unsubscribes, but the word of it is held up", unsubscribe("birch", SEARCH))
            .await?;
        self.stage.simulator().market().advance(10 * MINUTE).await?;
        let again = "subscribes again after ten minutes, which is heard first";
        let birch = self.act("birch", again, Act::subscribe("birch", SEARCH)).await?;
        let back = self.stage.now();
        self.uses("birch", SEARCH, &[(REQUESTS, "8")]).await?;
        self.pass(80 * MINUTE, "eighty minutes pass").await?;
        self.hour_is_complete(SEARCH).await?;
        self.billed("birch", "pays for what it used before it left, from", back, &[(REQUESTS, "12")])?;
        let next = back.plus(60 * MINUTE);
        self.billed("birch", "…and for the rest of that hour in the next, from", next, &[(REQUESTS, "8")])?;
        self.look("aurora", "has gone for good: unsubscribe-success came", &aurora).await?;
        self.look("birch", "has stayed: the end of the first hour meant nothing", &birch).await?;
        self.reports_too_late(&aurora, SEARCH, REQUESTS, while_subscribed).await
    }

    async fn the_last_word_is_lost(&mut self) -> anyhow::Result<()> {
        self.act("dune", "subscribes to search", Act::subscribe("dune", SEARCH)).await?;
        self.pass(MINUTE, "a minute passes").await?;
        let dune = self.act("dune", "unsubscribes", unsubscribe("dune", SEARCH)).await?;
        let lose = [("unsubscribe-success".to_owned(), 1.0)].into();
        self.stage.simulator().faults().set(FaultSettings { lose, ..faults() })?;
        self.pass(61 * MINUTE, "an hour passes, and unsubscribe-success is lost on its way").await?;
        self.stage.simulator().faults().set(faults())?;
        self.look("dune", "has gone all the same: the hour is kept by the worker's clock", &dune).await
    }

    async fn one_account_has_two_licenses(&mut self) -> anyhow::Result<()> {
        let first = self
            .act("ember", "buys vault (EventBridge, with a license)", Act::subscribe("ember", VAULT))
            .await?;
        let second =
            self.act("ember", "buys vault again: a second license", Act::subscribe("ember", VAULT)).await?;
        self.register("ember", "sets up the account for the first license", &first).await?;
        self.pass(MINUTE, "a minute passes").await?;
        self.uses("ember", VAULT, &[(REQUESTS, "3")]).await?;
        let ends = Act::Unsubscribe(Whose::only("ember", VAULT).with_subscription(&first.id));
        self.act("ember", "cancels the first agreement", ends).await?;
        self.look("ember", "keeps the second", &second).await?;
        self.pass(MINUTE, "a minute passes").await?;
        self.final_hour(&first, VAULT, &[(REQUESTS, "3")]).await?;
        self.identities(&first)?;
        self.pass(61 * MINUTE, "an hour passes").await?;
        self.look("ember", "has lost the first license", &first).await?;
        self.look("ember", "still has the second", &second).await
    }

    /// Somebody acts, the worker hears of it, and both are held against each other.
    async fn act(&mut self, buyer: &str, what: &str, act: Act) -> anyhow::Result<Entry> {
        let done = self.stage.simulator().market().act(&act).await?;
        self.stage.settle().await?;
        self.look(buyer, what, &done.subscription).await?;
        Ok(done.subscription)
    }

    /// Somebody acts, and nobody hears of it yet.
    async fn unheard(&mut self, buyer: &str, what: &str, act: Act) -> anyhow::Result<()> {
        let (market, faults) = (self.stage.simulator().market(), self.stage.simulator().faults());
        faults.set(held_up())?;
        market.act(&act).await?;
        faults.set(self::faults())?;
        self.timeline.unheard(Timestamp::from(market.clock().now()), buyer, what)?;
        Ok(())
    }

    async fn register(&mut self, buyer: &str, what: &str, entry: &Entry) -> anyhow::Result<()> {
        self.stage.bind(subscription_key(entry)?, buyer).await?;
        self.look(buyer, what, entry).await
    }

    /// Before the marketplace has said anything, there is only the registration to be held against.
    async fn register_first(&mut self, buyer: &str, what: &str) -> anyhow::Result<()> {
        let market = self.stage.simulator().market();
        let product = market.products().into_iter().find(|product| product.key == SEARCH);
        let code = product.context("the marketplace does not sell search")?.code;
        let key: SubscriptionKey =
            format!("{MARKETPLACE}/{code}/customer/{}", market.customer_id(buyer)).parse()?;
        self.stage.bind(key.clone(), buyer).await?;
        self.show(buyer, what, &key, None).await
    }

    async fn pass(&mut self, time: Duration, what: &str) -> anyhow::Result<()> {
        self.stage.metered().await?;
        self.stage.simulator().market().advance(time).await?;
        self.stage.settle().await?;
        self.stage.metered().await?;
        Ok(self.timeline.note(&format!("— {what} —"))?)
    }

    async fn look(&mut self, buyer: &str, what: &str, entry: &Entry) -> anyhow::Result<()> {
        let key = subscription_key(entry)?;
        let books = self.stage.simulator().market().books_of(buyer);
        let entry = books.into_iter().find(|listed| listed.id == entry.id);
        ensure!(entry.is_some(), "the books have lost {key}");
        self.show(buyer, what, &key, entry).await
    }

    async fn show(
        &mut self,
        buyer: &str,
        what: &str,
        key: &SubscriptionKey,
        entry: Option<Entry>,
    ) -> anyhow::Result<()> {
        let now = Timestamp::from(self.stage.simulator().clock().now());
        let view = self.stage.view(key, now).await?;
        let key = key.to_string();
        let word = said(view.as_ref()).word.unwrap_or("nothing");
        let views: Views = view.map(|view| (key.clone(), view)).into_iter().collect();
        let tenant = self.stage.registrations().get(&key).cloned();
        let registrations: Registrations = tenant.map(|tenant| (key, tenant)).into_iter().collect();
        let mismatches = compare(entry.as_slice(), &registrations, &views);
        self.timeline.line(&Line { at: now, buyer, what, word, mismatch: mismatches.first() })?;
        self.mismatches.extend(mismatches);
        Ok(())
    }
}

fn unsubscribe(buyer: &str, product: &str) -> Act {
    Act::Unsubscribe(Whose::only(buyer, product))
}

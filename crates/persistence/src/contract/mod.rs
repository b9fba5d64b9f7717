//! What every store has to do, as tests: `contract_suite!(open)` in a store's `tests/contract.rs` runs them all.
//!
//! Each behaviour is a function named for it, which gets a [`Fixture`] over a fresh database.
//! A new one is written in the module that it belongs to, and listed in [`contract_suite!`](crate::contract_suite).
#![expect(missing_docs, reason = "a behaviour's name is its specification")]
#![expect(
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "these are tests, kept here so that every store can run them"
)]

use std::sync::Arc;

use async_trait::async_trait;
use stallkeeper_lifecycle::SubscriptionKey;

use crate::{InboxKey, Store};

pub mod agreements;
pub mod changes;
pub mod contention;
pub mod deliveries;
pub mod grants;
pub mod history;
pub mod housekeeping;
pub mod isolation;
pub mod jobs;
pub mod leases;
pub mod listings;
pub mod notifications;
pub mod quarantine;
pub mod registrations;
mod samples;
pub mod survey;
pub mod transactions;
pub mod usage_contention;
pub mod usage_decisions;
pub mod usage_following;
pub mod usage_intake;
pub mod usage_leases;
pub mod usage_listings;
pub mod usage_looks;
pub mod usage_pruning;
mod usage_samples;
pub mod usage_sending;
pub mod windows;

pub use samples::PayAsYouGo;

/// A store over a fresh, migrated database, and what only SQL can do to it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Overwrites a subscription's state with text that no version of the worker writes.
    async fn damage(&self, key: &SubscriptionKey);

    /// Stores a job that has long been due, as no version of the worker stores it, or only a newer one.
    async fn put_strange_job(&self, subscription: &str, kind: &str);

    /// Overwrites what is known of a meter with text that no version of the worker writes.
    async fn damage_meter(&self, key: &SubscriptionKey);

    /// The same with a usage record, by its number.
    async fn damage_record(&self, number: i64);

    /// The bytes that are kept of a notification.
    async fn inbox_body(&self, key: &InboxKey) -> Option<Vec<u8>>;
}

/// Runs every behaviour of the contract as a test of its own.
///
/// `open` is an `async fn` of the place where this stands, which answers a [`Fixture`](crate::contract::Fixture).
#[macro_export]
macro_rules! contract_suite {
    ($open:ident) => {
        $crate::contract_tests! { $open,
            notifications: [
                a_notification_is_applied_once_and_its_copy_answers_the_stored_outcome,
                copies_within_one_batch_answer_the_outcome_of_the_first,
                a_copy_beside_new_notifications_changes_nothing,
                the_same_id_from_another_marketplace_is_another_notification,
                facts_of_one_key_in_one_batch_are_folded_together_with_a_line_each,
                every_order_and_split_ends_in_the_same_record,
                a_registration_between_two_facts_stays,
                a_registration_before_every_fact_stays,
                a_message_older_than_the_tombstone_changes_nothing_and_asks_for_a_look,
                bodies_are_kept_byte_for_byte,
                a_copy_whose_inbox_entry_was_pruned_tells_nothing_new,
            ],
            windows: [
                a_wake_at_the_deadline_ends_the_subscription_and_says_so,
                a_wake_before_the_deadline_leaves_no_line,
                a_wake_beside_a_fact_writes_only_the_line_of_the_fact,
                a_wake_of_an_unknown_subscription_shows_nothing,
                a_success_after_the_window_opens_a_new_period,
                an_end_within_its_window_stores_a_wake_that_is_due_at_the_deadline,
            ],
            agreements: [
                facts_that_came_before_the_license_reach_it,
                facts_that_come_after_the_license_reach_it,
                facts_in_the_batch_of_the_license_reach_it,
                every_license_of_an_agreement_takes_its_facts,
                a_license_that_names_its_agreement_again_takes_its_facts_once,
                a_license_named_while_its_agreements_facts_are_on_their_way_takes_them,
                licenses_and_facts_that_race_always_meet,
                an_agreement_is_found_by_its_key_and_in_no_listing,
                licenses_of_unknown_agreements_are_none,
            ],
            history: [
                a_line_is_kept_in_every_part,
                lines_are_numbered_in_the_order_of_storing,
                pages_of_history_have_no_gap_and_no_repeat,
                a_page_is_never_longer_than_the_bound,
                later_lines_leave_earlier_ones_as_they_were,
                an_unknown_subscription_has_no_history,
            ],
            transactions: [
                a_dropped_transaction_leaves_nothing,
                a_placed_row_is_invisible_until_it_is_written,
                placing_leaves_a_known_subscription_as_it_is,
                a_record_reads_back_as_it_was_written,
                a_claim_answers_only_what_was_there_before,
            ],
            isolation: [
                an_unreadable_subscription_fails_alone_among_a_hundred_good_ones,
                an_unreadable_state_is_an_error_that_names_the_key,
                what_was_refused_is_taken_in_once_it_can_be,
            ],
            quarantine: [
                a_message_that_comes_again_is_kept_once_and_counted,
                a_refused_message_keeps_every_byte_and_word,
                a_refusal_that_quotes_a_nul_is_stored,
                a_forged_copy_with_other_bytes_does_not_block_the_true_message,
                a_replay_settles_the_message_in_the_same_commit,
                a_replay_of_a_known_notification_settles_the_message_too,
                a_replay_that_is_not_committed_leaves_the_message_held,
                a_held_message_is_discarded_once,
                a_message_is_found_by_the_beginning_of_its_hash,
                lists_are_by_state_and_paged_without_bodies,
                refused_messages_beside_good_ones_disturb_nobody,
            ],
            jobs: [
                a_newer_job_takes_the_place_of_an_unfinished_one,
                parked_jobs_are_never_handed_out,
                due_jobs_are_handed_out_the_longest_due_first_and_within_the_limit,
                a_job_is_not_handed_out_before_its_time,
                only_jobs_of_the_kinds_asked_for_are_handed_out,
                a_job_of_an_unknown_kind_is_left_alone_and_holds_nobody_up,
                a_job_that_cannot_be_read_holds_no_other_up,
                a_finished_job_is_gone,
                a_retried_job_comes_back_at_its_new_time,
                a_failed_job_waits_for_a_person,
                a_failed_job_is_revived_once,
                what_another_version_parked_is_unparked_by_kind,
                a_newer_job_takes_the_place_of_a_failed_one,
                jobs_are_listed_by_state_and_paged,
                jobs_are_counted_by_state,
                the_next_job_is_the_earliest_due_or_leased,
            ],
            leases: [
                a_lease_keeps_others_away_until_it_ends,
                runners_that_race_never_get_the_same_job,
                a_newer_job_survives_the_finish_of_the_one_it_replaced,
                a_newer_job_survives_the_retry_and_the_failure_of_the_one_it_replaced,
                a_newer_job_waits_for_the_lease_of_the_one_it_replaced,
                a_job_whose_lease_ended_is_finished_by_whoever_comes_first,
            ],
            listings: [
                subscriptions_are_found_by_every_filter,
                every_listing_is_paged_without_gap_or_repeat,
                keys_are_in_the_order_of_their_bytes,
                a_listing_names_exactly_its_marketplace_and_product,
                a_subscription_moves_between_listings_as_it_changes,
                tenants_are_told_apart_by_case,
                an_unknown_subscription_is_none,
            ],
            housekeeping: [
                the_database_answers,
                pruning_takes_what_is_older_than_the_horizon_and_at_most_the_limit,
                the_newest_receipt_is_known_for_each_marketplace,
            ],
            changes: [
                what_changed_since_is_found_as_it_is_now,
                what_is_written_again_moves_to_the_end,
                what_one_batch_changes_has_one_number_and_is_in_the_order_of_keys,
                changes_are_paged_without_gap_or_repeat,
                a_decided_change_stands_below_the_horizon_and_a_later_one_does_not,
                invisible_rows_and_agreements_are_no_changes,
                a_row_that_cannot_be_read_holds_no_other_up,
                who_listens_hears_of_a_change,
                numbers_that_are_in_order_need_no_mending,
            ],
            registrations: [
                a_registration_is_kept_in_every_part,
                a_buyer_who_comes_again_keeps_his_registration,
                a_buyer_who_comes_ten_times_at_once_has_one_registration,
                a_visits_page_is_its_browsers_alone_and_ends,
                a_code_is_taken_once_and_before_it_is_over,
                a_registration_is_pending_from_the_buyers_word_until_its_tenant,
                registrations_are_paged,
                what_is_over_is_forgotten_and_removed,
                of_two_tenants_who_register_at_once_one_gets_the_subscription,
            ],
            grants: [
                a_grant_is_kept_in_every_part,
                a_grant_that_is_put_again_changes_nothing,
                a_grant_with_other_content_takes_the_place_of_the_one_before,
                a_revoked_grant_is_seen_by_followers_and_stays_as_it_was_revoked,
                a_revoked_grant_that_is_put_again_holds_again,
                an_unknown_grant_is_none,
                every_act_is_kept_with_who_did_it,
                grants_are_listed_by_tenant_or_all_and_paged,
                who_listens_hears_of_a_grant,
            ],
            deliveries: [
                jobs_for_several_targets_stand_side_by_side,
                a_job_is_removed_and_those_it_led_to_are_stored_together,
                a_job_that_was_replaced_leads_to_nothing_and_the_newer_one_is_free,
                a_runner_whose_lease_ran_out_removes_nothing_that_came_after_it,
                attempts_are_kept_in_every_part_and_found,
                attempts_older_than_the_horizon_are_removed_at_most_the_limit,
            ],
            usage_following: [
                a_subscription_makes_a_running_meter_and_says_so,
                a_listing_that_is_not_metered_makes_no_meter,
                an_end_opens_the_final_window_and_its_close_ends_it,
                an_end_without_a_window_ends_the_meter_at_once,
                a_failed_payment_fails_the_meter,
                a_license_is_metered_for_whom_it_was_granted_to,
                a_new_period_in_the_window_keeps_off_the_hours_that_are_frozen,
            ],
            usage_intake: [
                usage_reported_twice_counts_once,
                copies_within_one_batch_of_usage_count_once,
                the_same_id_with_other_content_is_refused,
                the_same_id_of_another_tenant_is_other_usage,
                bad_usage_is_refused_beside_good_usage_and_leaves_nothing,
                a_tenant_with_several_subscriptions_names_the_one_it_means,
                usage_of_a_former_tenant_is_refused,
                usage_before_the_activation_is_held_and_billed_once_it_comes,
                usage_before_the_activation_is_lost_where_the_payment_fails,
                usage_for_a_closed_hour_is_held_for_an_operator_and_lost_in_the_end,
                late_usage_is_carried_or_refused_where_the_terms_say_so,
                usage_after_the_end_is_lost_with_its_reason,
                the_largest_value_of_an_hour_counts_for_a_peak,
                an_event_is_kept_in_every_part,
                a_large_batch_of_usage_is_taken_whole,
            ],
            usage_looks: [
                an_hour_closes_after_the_settle_delay_and_not_before,
                an_hour_closes_by_the_word_of_every_source,
                a_tenants_watermark_closes_only_its_own_hours,
                a_watermark_never_goes_back,
                a_watermark_that_nobody_can_know_is_refused,
                a_frozen_record_never_changes_what_it_reports,
                less_than_a_unit_is_carried_into_the_next_hour,
                hours_without_usage_are_reported_where_that_is_wanted,
                final_usage_is_frozen_once_it_is_complete,
                final_usage_is_found_and_frozen_at_the_soft_cut,
                usage_that_comes_after_the_seal_goes_to_the_next_hour,
                what_the_window_leaves_over_is_lost_with_its_reason,
                a_record_whose_time_is_over_is_found_and_lost,
                meters_are_due_the_longest_first_and_within_the_limit,
                a_meter_that_cannot_be_read_holds_no_other_up,
                subscriptions_without_a_meter_are_found_page_by_page,
            ],
            usage_sending: [
                an_attempt_is_stored_before_its_records_are_sent,
                several_requests_are_stored_at_once_with_numbers_in_their_order,
                an_accepted_record_is_settled_and_never_sent_again,
                an_outcome_that_quotes_a_nul_is_stored,
                a_loss_is_published_once_and_only_where_that_is_wanted,
                the_same_results_may_be_stored_again,
                a_refused_record_is_lost_and_counted,
                a_record_that_was_not_done_is_sent_again_at_once,
                a_record_of_nobody_subscribed_waits_and_is_sent_again,
                a_duplicate_after_an_unanswered_attempt_is_taken_for_ours,
                a_duplicate_without_doubt_is_a_conflict,
                a_record_given_up_that_was_taken_is_recovered,
                what_runs_out_first_is_sent_first,
                held_listings_and_other_marketplaces_are_not_sent,
                a_record_that_cannot_be_read_holds_no_other_up,
                the_next_time_to_send_is_the_earliest,
            ],
            usage_decisions: [
                late_usage_is_carried_to_the_first_open_hour_and_billed,
                late_usage_is_written_off_and_listed,
                only_held_usage_is_decided_on_and_only_once,
            ],
            usage_leases: [
                one_worker_has_a_lease_until_it_ends,
                a_lease_is_given_back_by_who_has_it,
                workers_that_race_for_a_lease_get_it_once,
                a_products_metering_is_held_once_and_released_once,
            ],
            usage_listings: [
                records_are_listed_by_hours_and_paged_without_gap_or_repeat,
                events_are_listed_by_hours_in_the_order_of_storing,
                held_usage_is_listed_in_the_order_in_which_it_runs_out,
                losses_are_listed_for_one_subscription_or_all_and_paged,
                sums_tell_recorded_billed_and_lost_by_dimension,
                an_idle_ledger_has_nothing_to_tell,
                what_waits_to_be_sent_is_counted_and_the_most_urgent_known,
                quantities_are_summed_up_to_what_can_be_counted,
            ],
            survey: [
                every_word_is_counted_also_where_there_is_none,
                subscriptions_are_found_by_the_beginning_of_their_id_and_paged,
                windows_are_listed_until_they_close_the_first_to_close_first,
                the_newest_lines_of_a_history_come_first_and_are_paged,
                frozen_records_are_listed_in_the_order_in_which_they_run_out,
                the_newest_losses_come_first_of_one_subscription_or_all,
            ],
            usage_pruning: [
                what_is_older_than_the_horizon_is_removed_at_most_the_limit_at_once,
                what_is_held_open_or_frozen_stays_whatever_its_age,
                what_stays_holds_nothing_up_that_comes_behind_it,
            ],
        }
    };
}

/// Writes the tests that [`contract_suite!`](crate::contract_suite) names.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_tests {
    ($open:ident, $($module:ident: [$($name:ident),* $(,)?]),* $(,)?) => {
        $(mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let fixture = super::$open().await;
                $crate::contract::$module::$name(&fixture).await;
            })*
        })*
    };
}

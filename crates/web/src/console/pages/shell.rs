use super::super::flash::Flash;
use super::super::visitor::{Visitor, Way};
use super::super::words::Moment;
use super::super::{Desk, assets};

/// What stands around every page.
pub(super) struct Shell {
    pub(super) title: String,
    pub(super) tab: &'static str,
    pub(super) operator: String,
    /// What the page's forms carry.
    pub(super) csrf: String,
    /// Whether there is a session to sign out of.
    pub(super) has_session: bool,
    pub(super) has_webhooks: bool,
    pub(super) flash: Option<Flash>,
    pub(super) assets: &'static str,
    pub(super) as_of: Moment,
}

impl Shell {
    pub(super) fn new(desk: &Desk, visitor: &Visitor, tab: &'static str, title: &str) -> Self {
        let now = desk.api.now();
        Self {
            title: crate::safe(title),
            tab,
            operator: crate::safe(visitor.operator.name()),
            csrf: desk.seal.of(&visitor.id),
            has_session: visitor.way == Way::Session,
            has_webhooks: desk.deliveries.is_on(),
            flash: desk.flashes.take(&visitor.id).map(|flash| match flash {
                Flash::Done(text) => Flash::Done(crate::safe(&text)),
                Flash::Refused(text) => Flash::Refused(crate::safe(&text)),
            }),
            assets: assets::version(),
            as_of: Moment::of(now, now),
        }
    }
}

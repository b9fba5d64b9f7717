use std::time::Duration;

use crate::market::Market;

/// Crowds that come one after the other, so that there is always work.
#[derive(Debug)]
pub(super) struct Load {
    wave: u64,
    seed: u64,
    waves: u64,
    /// What the crowds before the present one have published.
    before: u64,
}

impl Load {
    /// Crowds of so many notifications each.
    pub(super) fn new(wave: u64, seed: u64) -> Self {
        Self { wave: wave.max(1), seed, waves: 0, before: 0 }
    }

    /// Lets the next crowd come, unless one is still there; tells whether it did. It acts at once, or over a
    /// span of the marketplace's time.
    pub(super) async fn surge(&mut self, market: &Market, span: Option<Duration>) -> bool {
        if self.waves > 0 {
            let crowd = market.crowd().await;
            if !crowd.done {
                return false;
            }
            self.before += crowd.published;
        }
        market.start_crowd(self.wave, self.seed.wrapping_add(self.waves), span).await;
        self.waves += 1;
        true
    }

    /// What the crowds have published until now, and whether the last one is done.
    pub(super) async fn published(&self, market: &Market) -> (u64, bool) {
        if self.waves == 0 {
            return (0, true);
        }
        let crowd = market.crowd().await;
        (self.before + crowd.published, crowd.done)
    }
}

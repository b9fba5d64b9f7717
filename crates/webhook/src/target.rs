use stallkeeper_persistence::JobKind;

/// The endpoint's name in a delivery's target.
pub fn endpoint_of(target: &str) -> &str {
    target.split_once('/').map_or(target, |(endpoint, _)| endpoint)
}

/// A delivery's target: the endpoint, and of usage which, so that none takes the place of another.
pub fn target_of(kind: JobKind, endpoint: &str, sequence: u64) -> String {
    match kind {
        JobKind::DeliverLoss | JobKind::DeliverRisk => format!("{endpoint}/{sequence:x}"),
        _ => endpoint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_losses_have_two_targets_at_one_endpoint() {
        let targets = [1, 2].map(|loss| target_of(JobKind::DeliverLoss, "app", loss));
        assert_ne!(targets[0], targets[1]);
        assert_eq!(targets.each_ref().map(|target| endpoint_of(target)), ["app", "app"]);
    }

    #[test]
    fn other_deliveries_to_one_endpoint_take_each_others_place() {
        assert_eq!(target_of(JobKind::Deliver, "app", 1), target_of(JobKind::Deliver, "app", 2));
    }
}

//! Ids tell notifications apart, as the marketplaces' do.

use std::collections::BTreeSet;

use stallkeeper_simulator::{CrowdPlan, Simulator, SimulatorConfig};

#[tokio::test]
async fn no_two_notifications_share_an_id_whichever_way_they_come_by() {
    let simulator =
        Simulator::start(SimulatorConfig { seed: 7, ..SimulatorConfig::default() }).await.unwrap();
    simulator.start_crowd(CrowdPlan::new(400, 7)).unwrap();
    simulator.market().crowd_done().await;
    let published = simulator.market().notifications(0, 1_000);
    let whats: BTreeSet<&str> = published.iter().map(|notification| notification.what).collect();
    assert!(whats.contains("License Updated") && whats.contains("subscribe-success"), "{whats:?}");
    let ids: BTreeSet<&str> = published.iter().map(|notification| &*notification.id).collect();
    assert_eq!(ids.len(), published.len());
    simulator.stop().await;
}

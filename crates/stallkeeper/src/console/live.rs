use stallkeeper_metering::LaneTrouble;
use stallkeeper_poller::{PollerHealth, Standing};
use stallkeeper_web::Readiness;
use stallkeeper_web::console::{LaneLine, Live, QueueLine, QueueState};

use crate::config::{Config, LaneConfig};
use crate::worker::WorkerReadiness;

/// What the process knows of itself now.
pub(super) async fn look(config: &Config, readiness: &WorkerReadiness) -> Live {
    let pollers = readiness.pollers();
    let polled = config.marketplaces.iter().filter(|marketplace| marketplace.queue_url.is_some());
    let queue = |marketplace: &crate::config::Marketplace| {
        let health = pollers.iter().find(|(name, _)| *name == marketplace.name.as_str());
        let state = health.map_or(QueueState::Elsewhere, |(_, health)| state(health));
        QueueLine { marketplace: marketplace.name.clone(), state }
    };
    let troubles = readiness.lane_troubles();
    Live {
        problems: readiness.problems().await,
        queues: polled.map(queue).collect(),
        lanes: config.lanes().into_iter().map(|line| lane(line, &troubles)).collect(),
    }
}

fn state(health: &PollerHealth) -> QueueState {
    let snapshot = health.snapshot();
    match snapshot.standing {
        Standing::Starting => QueueState::Starting,
        Standing::Working => QueueState::Working {
            since_answer: snapshot.since_last_receive,
            in_flight: snapshot.in_flight,
            blocked: snapshot.blocked,
        },
        Standing::Failing(problem) => QueueState::Failing(format!("{}: {}", problem.kind, problem.detail)),
    }
}

fn lane(lane: LaneConfig, troubles: &[LaneTrouble]) -> LaneLine {
    let trouble = troubles.iter().find(|trouble| trouble.lane == lane.name);
    LaneLine {
        trouble: trouble.map(|trouble| (trouble.problem.clone(), trouble.remedy.clone())),
        name: lane.name,
        marketplaces: lane.marketplaces,
        calls_per_sec: lane.calls_per_sec,
    }
}

use std::collections::BTreeMap;

use axum::extract::{Form, State};
use axum::response::Response;

use super::acts::back;
use crate::control::Control;
use crate::{FaultSettings, RegistrationFaultSettings};

const ENDS: [&str; 2] = ["unsubscribe-success", "License Deprovisioned"];

/// Something that can be switched on and off; how often it happens is for the control API to say.
pub(super) struct Switch {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) is_on: fn(&FaultSettings) -> bool,
    set: fn(&mut FaultSettings, bool),
}

pub(super) const SWITCHES: [Switch; 5] = [
    Switch {
        name: "duplicate",
        label: "Every third notification comes twice",
        is_on: |settings| settings.duplicate > 0.0,
        set: |settings, on| settings.duplicate = if on { 0.33 } else { 0.0 },
    },
    Switch {
        name: "late",
        label: "Notifications come up to 20 seconds late, in any order",
        is_on: |settings| settings.reorder > 0.0,
        set: |settings, on| {
            settings.reorder = if on { 1.0 } else { 0.0 };
            settings.delay_max_ms = if on { 20_000 } else { 0 };
        },
    },
    Switch {
        name: "lost",
        label: "The last word on a subscription is lost",
        is_on: |settings| {
            ENDS.iter().any(|word| settings.lose.get(*word).is_some_and(|chance| *chance > 0.0))
        },
        set: |settings, on| {
            for word in ENDS {
                if on {
                    settings.lose.insert(word.to_owned(), 1.0);
                } else {
                    settings.lose.remove(word);
                }
            }
        },
    },
    Switch {
        name: "error",
        label: "Every fifth call fails",
        is_on: |settings| settings.error > 0.0,
        set: |settings, on| settings.error = if on { 0.2 } else { 0.0 },
    },
    Switch {
        name: "drop",
        label: "Every tenth answer is lost",
        is_on: |settings| settings.drop_answer > 0.0,
        set: |settings, on| settings.drop_answer = if on { 0.1 } else { 0.0 },
    },
];

/// What is said of tokens whatever they are.
pub(super) const EXPIRED: &str = "expired";

/// Takes all switches as the form has them; what stays as it was keeps what the control API has set.
pub(super) async fn switch(
    State(control): State<Control>,
    Form(form): Form<BTreeMap<String, String>>,
) -> Response {
    let buyer = form.get("buyer").map(String::as_str).unwrap_or_default();
    let mut settings = control.faults.settings();
    for switch in SWITCHES {
        let on = form.contains_key(switch.name);
        if on != (switch.is_on)(&settings) {
            (switch.set)(&mut settings, on);
        }
    }
    let expired = form.contains_key(EXPIRED);
    let set = control.faults.set(settings).and_then(|()| {
        let now = control.faults.registration_settings();
        if expired == (now.expired > 0.0) {
            return Ok(());
        }
        let tokens = expired.then_some(RegistrationFaultSettings { expired: 1.0, ..now });
        control.faults.set_registration(tokens)
    });
    back(&control, buyer, set.map_err(|error| error.to_string()))
}

//! The compose file: what it sets is understood, and what it starts may do little.

use serde_json::Value;
use stallkeeper_tests::{Authority, Installation};

use crate::{read, yaml};

const PASSWORD: &str = "${POSTGRES_PASSWORD:?is set in deploy/.env}";

fn services() -> Value {
    yaml("compose.yaml", "import yaml", "yaml.safe_load(open(path))")["services"].take()
}

#[test]
fn the_worker_s_configuration_and_variables_are_understood() {
    let services = services();
    let mut installation = Installation::new(&read("stallkeeper.compose.toml"), "");
    for (name, value) in services["worker"]["environment"].as_object().unwrap() {
        let value = match name.as_str() {
            // The file stands where the harness wrote it, and the root is the simulator's once it runs.
            "STALLKEEPER_CONFIG" => continue,
            "STALLKEEPER_SIGNATURE_TRUSTED_ROOTS" => {
                installation.write("root.pem", &Authority::new().root_pem()).display().to_string()
            }
            _ => value.as_str().unwrap().replace(PASSWORD, "secret"),
        };
        installation = installation.variable(name, &value);
    }
    let summary = installation.run(&["config", "check", "--json"]).json();
    assert_eq!(summary["database"], "postgres");
    assert_eq!(summary["marketplaces"][0]["queue_url"], "http://simulator:4560/123456789012/stallkeeper");
}

#[test]
fn no_secret_stands_in_the_file() {
    let services = services();
    let password = &services["postgres"]["environment"]["POSTGRES_PASSWORD"];
    assert_eq!(password, PASSWORD);
    let url = services["worker"]["environment"]["STALLKEEPER_DATABASE_URL"].as_str().unwrap();
    assert!(url.contains(&format!(":{PASSWORD}@")), "{url}");
    assert!(read("env.example").lines().any(|line| line == "POSTGRES_PASSWORD="));
}

#[test]
fn every_container_is_confined() {
    for (name, service) in services().as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], serde_json::json!(["no-new-privileges:true"]), "{name}");
        assert!(service["mem_limit"].is_string() && service["pids_limit"].is_number(), "{name}");
        assert!(service["user"].as_str().is_some_and(|user| !user.starts_with(['0', 'r'])), "{name}");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name} is open to the network");
        }
    }
}

#[test]
fn the_simulator_s_command_and_health_check_are_the_binary_s() {
    let simulator = services()["simulator"].take();
    let check = simulator["healthcheck"]["test"].as_array().unwrap()[2..].to_vec();
    for command in [simulator["command"].as_array().unwrap().clone(), check] {
        let mut args: Vec<&str> = command.iter().map(|word| word.as_str().unwrap()).collect();
        args.push("--help");
        Installation::new("", "").run(&args).expect_success();
    }
}

//! Schemathesis: calls of all kinds that nobody here thought of, made of the API's own description.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::{Finished, environment};

const CONFIG: &str = include_str!("../schemathesis.toml");
/// A port on which nobody listens: whoever asks the world outside is told no at once.
const NOWHERE: &str = "http://127.0.0.1:9";

/// How the API is to be tried.
#[derive(Clone, Debug)]
pub struct Schemathesis {
    /// Where it answers, without a closing slash; the description is at `/openapi.json`.
    pub url: String,
    /// With which it is called.
    pub token: String,
    /// From which all calls are made.
    pub seed: u64,
    /// How many calls of an operation are made up at the most.
    pub examples: u32,
    /// It is ended after that.
    pub limit: Duration,
    /// What the calls are made of.
    pub texts: Texts,
    /// Values by which calls reach what there is.
    pub known: Vec<Known>,
}

/// The value of a parameter that leads to something.
#[derive(Clone, Debug)]
pub struct Known {
    /// Of which operations; of all where none is named.
    pub of: &'static [&'static str],
    /// Its place and name, such as `path.id`.
    pub parameter: &'static str,
    /// The value.
    pub value: String,
}

/// What the texts of calls are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// Characters of one byte, so that a length that the description allows is one that the worker allows: all
    /// that it allows has to be taken, and all else refused.
    Ascii,
    /// Any characters, of which it is not told in advance whether they are taken.
    Any,
}

impl Schemathesis {
    /// Tries every operation; what is not as described is in the output, each with a command that repeats it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn run(&self) -> Finished {
        let folder = tempfile::tempdir().expect("cannot make a folder for schemathesis");
        let config = folder.path().join("config.toml");
        fs::write(&config, self.config()).expect("cannot write schemathesis' configuration");
        let program = Path::new(&environment("STALLKEEPER_TEST_PYTHON")).with_file_name("st");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "timeout", "--kill-after=5", &self.limit.as_secs().to_string()]);
        command.arg(program).arg("--config-file").arg(config);
        command.args(["run", &format!("{}/openapi.json", self.url), "--no-color", "--continue-on-failure"]);
        command.args(["--header", &format!("Authorization: Bearer {}", self.token)]);
        command.args(["--seed", &self.seed.to_string(), "--max-examples", &self.examples.to_string()]);
        command.args(["--generation-database", "none"]);
        match self.texts {
            Texts::Ascii => command.args(["--generation-codec", "ascii"]),
            Texts::Any => {
                command.args(["--exclude-checks", "positive_data_acceptance,negative_data_rejection"])
            }
        };
        command.current_dir(folder.path()).env("HOME", folder.path());
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            command.env(variable, NOWHERE);
        }
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("cannot start schemathesis");
        let ended = tokio::task::spawn_blocking(|| child.wait_with_output()).await;
        let output = ended.expect("waiting does not panic").expect("cannot wait for schemathesis");
        Finished {
            status: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The configuration that all runs share, and what is known in this one.
    fn config(&self) -> String {
        let (of_all, of_some): (Vec<_>, Vec<_>) = self.known.iter().partition(|known| known.of.is_empty());
        let of_all =
            of_all.iter().map(|Known { parameter, value, .. }| format!("\"{parameter}\" = {value:?}\n"));
        let of_some = of_some.iter().map(|Known { of, parameter, value }| {
            format!(
                "\n[[operations]]\ninclude-operation-id = {of:?}\nparameters = {{ \"{parameter}\" = {value:?} }}\n"
            )
        });
        format!("{CONFIG}\n[parameters]\n{}", of_all.chain(of_some).collect::<String>())
    }
}

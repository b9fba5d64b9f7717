//! A real browser, driven by a script of `tests/browser`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::environment;

/// How long a script may take to close its browser once its time is over.
const CLOSING: Duration = Duration::from_secs(10);

/// What a script did, as it tells it.
#[derive(Clone, Debug, Deserialize)]
pub struct BrowserReport {
    /// What was done, in order, also where it went wrong after that.
    pub steps: Vec<BrowserStep>,
    /// Why it did not come to its end: the step, and what went wrong.
    pub error: Option<String>,
    /// What the script gives besides.
    #[serde(default)]
    pub data: Value,
}

/// One step of a script.
#[derive(Clone, Debug, Deserialize)]
pub struct BrowserStep {
    /// What was done, in words.
    pub name: String,
    /// The screenshot, where one was taken: a file's name in the folder of screenshots.
    pub screenshot: Option<String>,
    /// What axe-core finds serious or critical on the page.
    #[serde(default)]
    pub violations: Vec<Violation>,
}

/// A rule of accessibility that a page breaks.
#[derive(Clone, Debug, Deserialize)]
pub struct Violation {
    /// The rule, such as `color-contrast`.
    pub id: String,
    /// `serious` or `critical`.
    pub impact: String,
    /// What the rule asks for.
    pub help: String,
    /// The elements, as selectors.
    pub elements: Vec<String>,
}

/// Runs a script of `tests/browser` with what it is given; it is ended, with its browser, after `limit`.
///
/// Screenshots go into the folder. The script reads one JSON object from its input: `given` and what it needs of
/// the machine. It prints one, a [`BrowserReport`].
///
/// # Panics
/// When the script cannot be run, or says nothing that is a report; what it printed is told.
pub async fn browse(script: &str, given: &Value, screenshots: &Path, limit: Duration) -> BrowserReport {
    let input = json!({
        "modules": environment("STALLKEEPER_TEST_NODE_MODULES"),
        "chromium": environment("STALLKEEPER_TEST_CHROMIUM"),
        "screenshots": screenshots,
        "given": given,
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser").join(script);
    // A browser closes when its script ends, whose end of the pipe between them closes with it.
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig=TERM", "timeout", &format!("--kill-after={}", CLOSING.as_secs())])
        .arg(limit.as_secs().to_string())
        .arg("node")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cannot start node");
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    stdin.write_all(input.to_string().as_bytes()).expect("node does not read its input");
    drop(stdin);
    // The test goes on meanwhile: what the browser visits may be served by it.
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output()).await;
    let output = ended.expect("waiting does not panic").expect("cannot wait for node");
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("{script} ended with {}: {error}\n{printed}\n{said}", output.status))
}

impl BrowserReport {
    /// Holds that the script came to its end and that no page it showed is hard to use.
    ///
    /// # Panics
    /// Otherwise, with every step and finding.
    pub fn expect_good(&self) -> &Self {
        let findings: Vec<String> = self.steps.iter().flat_map(BrowserStep::findings).collect();
        let done: Vec<&str> = self.steps.iter().map(|step| step.name.as_str()).collect();
        assert!(self.error.is_none(), "{}\nafter: {done:#?}", self.error.as_deref().unwrap_or_default());
        assert!(findings.is_empty(), "hard to use:\n{}", findings.join("\n"));
        self
    }

    /// The names of the steps.
    pub fn names(&self) -> Vec<&str> {
        self.steps.iter().map(|step| step.name.as_str()).collect()
    }
}

impl BrowserStep {
    fn findings(&self) -> Vec<String> {
        let finding = |violation: &Violation| {
            let Violation { id, impact, help, elements } = violation;
            format!("{}: {id} ({impact}): {help}: {}", self.name, elements.join(", "))
        };
        self.violations.iter().map(finding).collect()
    }
}

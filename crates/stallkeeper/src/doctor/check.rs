use serde::Serialize;

/// How one check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works and should be better, or it cannot be seen.
    Warning,
    /// It does not work.
    Failure,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    #[serde(rename = "check")]
    name: String,
    status: Status,
    found: String,
    remedy: Option<String>,
}

impl Check {
    /// Everything is right.
    pub(super) fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), status: Status::Ok, found: found.into(), remedy: None }
    }

    /// Something to be better, and how.
    pub(super) fn warning(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.into(), status: Status::Warning, found: found.into(), remedy }
    }

    /// Something that keeps the worker from its work, and what to do about it.
    pub(super) fn failure(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { name: name.into(), status: Status::Failure, found: found.into(), remedy }
    }

    /// Something that cannot be seen before `first` is right; the failure itself is counted there.
    pub(super) fn unseen(name: impl Into<String>, first: &str) -> Self {
        let remedy = format!("put right `{first}` first, then run `stallkeeper doctor` again");
        Self::warning(name, "could not be looked at", remedy)
    }

    /// What was looked at, such as `schema` or `aws: queue`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it ended.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What was found.
    pub fn found(&self) -> &str {
        &self.found
    }

    /// What to do, unless all is right.
    pub fn remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }
}

/// All checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    ok: bool,
    checks: Vec<Check>,
}

impl Report {
    /// The checks in the order in which they are shown.
    pub(super) fn new(checks: Vec<Check>) -> Self {
        Self { ok: checks.iter().all(|check| check.status != Status::Failure), checks }
    }

    /// The checks in the order in which they are shown.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// What failed, as one line; none where nothing did.
    pub fn failed(&self) -> Option<String> {
        let failed = self.checks.iter().filter(|check| check.status == Status::Failure);
        let names: Vec<&str> = failed.map(Check::name).collect();
        let (failed, all) = (names.len(), self.checks.len());
        (failed > 0).then(|| format!("{failed} of {all} checks failed: {}", names.join(", ")))
    }
}

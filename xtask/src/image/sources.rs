//! Which of Debian's mirrors this machine uses.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The mirror that apt takes the release from.
pub(super) fn mirror(release: &str) -> Result<String> {
    let texts = files().into_iter().filter_map(|file| fs::read_to_string(file).ok());
    texts
        .into_iter()
        .find_map(|text| in_lines(&text, release).or_else(|| in_paragraphs(&text, release)))
        .with_context(|| format!("no source below /etc/apt has {release}"))
}

fn files() -> Vec<PathBuf> {
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
    files.sort();
    files.insert(0, "/etc/apt/sources.list".into());
    files
}

/// The older form: `deb [options] URI suite component…`.
fn in_lines(text: &str, release: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let entry = line.strip_prefix("deb ")?.trim_start();
        let entry = entry.strip_prefix('[').and_then(|rest| Some(rest.split_once(']')?.1)).unwrap_or(entry);
        let mut words = entry.split_whitespace();
        let (uri, suite) = (words.next()?, words.next()?);
        (suite == release).then(|| uri.to_owned())
    })
}

/// The newer form: paragraphs of `Field: words`.
fn in_paragraphs(text: &str, release: &str) -> Option<String> {
    text.split("\n\n").find_map(|paragraph| {
        let words = |field: &str| {
            let line = paragraph.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace()
        };
        let fits = words("Types").any(|word| word == "deb") && words("Suites").any(|word| word == release);
        if fits { words("URIs").next().map(str::to_owned) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::{in_lines, in_paragraphs};

    #[test]
    fn the_mirror_is_read_from_lines() {
        let text = "# deb http://no.example bookworm main\ndeb http://security.example bookworm-security main\n\
                    deb [signed-by=/key.gpg] http://mirror.example/debian bookworm main contrib\n";
        assert_eq!(in_lines(text, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(in_lines(text, "trixie"), None);
    }

    #[test]
    fn the_mirror_is_read_from_paragraphs() {
        let text = "Types: deb\nURIs: http://security.example\nSuites: bookworm-security\n\n\
                    Types: deb-src\nURIs: http://sources.example\nSuites: bookworm\n\n\
                    Types: deb deb-src\n# a note\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n";
        assert_eq!(in_paragraphs(text, "bookworm").as_deref(), Some("http://mirror.example/debian"));
        assert_eq!(in_paragraphs(text, "trixie"), None);
    }
}

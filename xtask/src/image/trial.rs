//! Commands in the image as it is meant to run: its own user, its root read-only, its volume empty.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};

use super::storage::Storage;
use crate::program::{capture, tied};

/// What every engine sets where an image does not.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Mounts what an engine would, in a namespace of its own, and becomes the image's user.
const ENTER: &str = r#"set -eu
root=$1 volume=$2 user=$3
shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o "mode=0700,uid=${user%:*},gid=${user#*:}" state "$root$volume"
exec chroot --userspec="$user" "$root" /usr/bin/env --ignore-environment "$@"
"#;

/// One command and what came of it.
pub(super) struct Trial {
    pub(super) command: String,
    pub(super) status: ExitStatus,
    pub(super) output: String,
}

impl Trial {
    pub(super) fn last_line(&self) -> &str {
        self.output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}

/// What the image says of how it is run.
struct Setting {
    user: String,
    folder: String,
    volume: String,
    entrypoint: String,
    environment: Vec<String>,
}

/// Runs the commands one after another, each in the image as it was built.
pub(super) fn run_all(storage: &Storage, image: &str, commands: &[&[&str]]) -> Result<Vec<Trial>> {
    let setting = Setting::of(storage, image)?;
    let copy = storage.working_copy(image)?;
    let files = copy.files()?;
    commands.iter().map(|command| setting.run(&files, command)).collect()
}

impl Setting {
    fn of(storage: &Storage, image: &str) -> Result<Self> {
        const FORMAT: &str = "{{with .OCIv1.Config}}{{println .User}}{{println .WorkingDir}}\
                              {{range $volume, $_ := .Volumes}}{{println $volume}}{{end}}\
                              {{range .Entrypoint}}{{println .}}{{end}}{{range .Env}}{{println .}}{{end}}{{end}}";
        let mut inspect = storage.buildah();
        let text = capture(inspect.args(["inspect", "--type", "image", "--format", FORMAT, image]))?;
        let mut lines = text.lines().map(str::to_owned);
        let mut next = || lines.next().context("the image does not say how it is run");
        let (user, folder, volume, entrypoint) = (next()?, next()?, next()?, next()?);
        ensure!(
            user.contains(':') && !user.starts_with('0'),
            "the image's user is {user:?}, a root or unnamed"
        );
        Ok(Self { user, folder, volume, entrypoint, environment: lines.collect() })
    }

    fn run(&self, files: &Path, arguments: &[&str]) -> Result<Trial> {
        let mut command: Command = tied("unshare");
        command.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh"]).arg(files);
        command.args([&self.volume, &self.user, &format!("--chdir={}", self.folder), PATH]);
        command.args(&self.environment).arg(&self.entrypoint).args(arguments);
        let output = command.stdin(Stdio::null()).output().context("cannot start unshare")?;
        let text = [output.stdout, output.stderr].concat();
        Ok(Trial {
            command: arguments.join(" "),
            status: output.status,
            output: String::from_utf8_lossy(&text).into_owned(),
        })
    }
}

//! `cargo xtask`: the project's own chores.
fn main() -> std::process::ExitCode {
    xtask::main(&std::env::args().skip(1).collect::<Vec<_>>())
}

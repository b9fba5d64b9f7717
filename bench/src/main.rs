//! `cargo xtask bench` runs this with what it needs already built.
fn main() -> anyhow::Result<()> {
    stallkeeper_bench::main()
}

#![doc = include_str!("../README.md")]

mod cli;
mod drain;
mod installation;
mod memory;
mod node;
mod notifications;
mod numbers;
mod process;
mod proxy;
mod report;
mod rows;
mod run;
mod server;
mod simulator;
mod stand;
mod start;
mod versions;
mod worker;

pub use cli::main;

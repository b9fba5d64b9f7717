#![doc = include_str!("../README.md")]

mod app;
mod cli;
mod close;
mod drain;
mod entitlements;
mod final_hour;
mod installation;
mod leaving;
mod market;
mod memory;
mod node;
mod notifications;
mod numbers;
mod opened;
mod planned;
mod process;
mod proxy;
mod report;
mod rows;
mod run;
mod seller;
mod server;
mod simulator;
mod stand;
mod start;
mod usage;
mod versions;
mod worker;

pub use cli::main;

#![doc = include_str!("../README.md")]

pub mod acts;
pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod demo;
pub mod doctor;
pub mod logs;
pub mod simulated_clock;
pub mod store;
pub mod table;
pub mod webhooks;
pub mod worker;

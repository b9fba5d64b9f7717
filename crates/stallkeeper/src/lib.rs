#![doc = include_str!("../README.md")]

pub mod cli;
pub mod commands;
pub mod config;
pub mod doctor;
pub mod logs;
pub mod store;
pub mod table;
pub mod worker;

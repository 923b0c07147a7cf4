//! `source-aifi`: AiFi orders as an Airbyte source.
//!
//! The house, from the outside in; imports point downwards only:
//!
//! ```text
//! main          parse the command line, run, end the process
//! run           one function for each command: spec, check, discover, read
//! orders        the stream: what to ask, what to believe, what to say in the state
//! lists         the streams that are lists of the API, declared, and read by one loop
//! waiting, findings   what is logged while the API is waited for, and of values that nobody declared
//! engine        one driver for all streams, and what a family of streams is to it
//! unreadable    the stream of items that no record can be made of
//! horizon       up to when a sync may believe what it reads
//! record        an object of the API becomes a record that keeps the schema's promises
//! aifi          the API as a thing to ask: network, sign-in, pace, patience
//! protocol      Airbyte's messages: in (catalog, state) and out
//! config        the configuration, checked against spec/spec.json
//! failure, doubt, timestamp, clock, terminal, signals, cli
//! ```
//!
//! Each effect has one door (`clippy.toml` and a test watch over most of them): stdout is [`protocol::output`], the network is
//! [`aifi::transport`], time is [`clock`], stderr is [`terminal`], signals are [`signals`], files and environment are
//! [`cli`]. Everything that decides (pace, retry, walk, cursor, versions) is a function of its arguments and is
//! tested without any of them.
//!
//! A program of yours can run a command in its own process:
//!
//! ```
//! use source_aifi::{cli::Command, protocol::output::Output, run, signals};
//!
//! let mut output = Output::to(std::io::sink());
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! runtime.block_on(run::run(&Command::Spec, &mut output, signals::watch()))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aifi;
pub mod checkout;
pub mod cli;
pub mod clock;
pub mod config;
mod doubt;
mod engine;
pub mod failure;
mod findings;
mod heartbeat;
mod horizon;
pub mod lists;
mod orders;
mod plural;
pub mod protocol;
pub mod record;
pub mod run;
pub mod signals;
pub mod terminal;
mod timestamp;
mod unreadable;
#[cfg(test)]
mod untrusted;

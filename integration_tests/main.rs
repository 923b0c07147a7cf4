//! The connector's behaviour, through the protocol: the real binary, a real server on loopback that behaves like the
//! API, every line of output validated.

#![allow(clippy::disallowed_methods, reason = "tests wait and stop processes in real time")]
#![allow(clippy::print_stdout, reason = "the simulated months print their table")]
#![allow(missing_docs, reason = "the names of tests are sentences")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "nothing is exported, and a test that cannot go on fails"
)]

mod advice;
mod audit;
mod ceiling;
mod changes;
mod checkout;
mod checks;
mod compatible;
mod complete;
mod deletions;
mod details;
mod doctor;
mod faults;
mod gateways;
mod harness;
mod lists;
mod log_levels;
mod log_lines;
mod messages;
mod month;
mod odd_rows;
mod order_family;
mod order_family_faults;
mod order_family_resume;
mod partitions;
mod personal_data;
mod protocol;
mod repository;
mod resume;
mod simulation;
mod whole_lists;
mod whole_syncs;

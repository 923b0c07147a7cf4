//! How fast, how cheap and how small a read is: `cargo bench --bench read`, see `docs/performance.md`.
//!
//! The connector is measured from outside, as a process against a sandbox in this one. Nothing here fails for being
//! slow; it fails when an order is missing or comes twice.
//!
//! | module | holds |
//! | --- | --- |
//! | `process`, `received` | a program, its time and memory, and the orders that it prints |
//! | `runs` | one read of the connector or of the bare loop |
//! | `bare_loop` | what the connector's CPU time is compared with |
//! | `streams` | syncs of all streams but the details |
//! | `figures`, `table`, `chart` | from runs to figures, as Markdown and as SVG |

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a benchmark talks to a person and takes the time"
)]

mod bare_loop;
mod chart;
mod figures;
mod process;
mod received;
mod runs;
mod streams;
mod table;

use std::path::Path;

use anyhow::Result;
use clap::Parser;

use crate::figures::{Ceiling, Cpu, Memory, at_the_ceiling, start_up};
use crate::streams::AllStreams;
use crate::table::Report;

/// How often `spec` is started.
const STARTS: usize = 20;

/// Measures reads of the connector from a sandbox.
#[derive(Parser)]
struct Flags {
    /// How often each read is repeated; the figures are medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Only shows that the benchmark works: few orders, each read once, in ten seconds or so.
    #[arg(long, conflicts_with_all = ["runs", "two_million", "draw"])]
    quick: bool,
    /// Also measures the memory of a read of two million orders, which takes more than eight minutes.
    #[arg(long)]
    two_million: bool,
    /// Draws docs/benchmark.svg.
    #[arg(long)]
    draw: bool,
    /// What `cargo bench` says, and `cargo test` does not.
    #[arg(long, hide = true)]
    bench: bool,
    /// Is the bare loop.
    #[arg(long, hide = true, num_args = 2, value_names = ["URL", "PAGES"])]
    bare_loop: Option<Vec<String>>,
}

fn main() -> Result<()> {
    let flags = Flags::parse();
    if let Some([base_url, pages]) = flags.bare_loop.as_deref() {
        return bare_loop::run(base_url, pages.parse()?);
    }
    if !flags.bench {
        println!("Nothing is measured in a test: cargo bench --bench read");
        return Ok(());
    }
    let report = measure(&flags)?;
    println!("{report}");
    if flags.draw {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmark.svg");
        chart::draw(&file, &report)?;
        println!("Drawn: {}", file.display());
    }
    Ok(())
}

fn measure(flags: &Flags) -> Result<Report> {
    let runs = if flags.quick { 1 } else { flags.runs.into() };
    let (few, many) = if flags.quick { (1_000, 5_000) } else { (20_000, 200_000) };
    let mut cases = at_the_ceiling(if flags.quick { many } else { few }).to_vec();
    if flags.quick {
        cases.retain(|case| case.latency.as_millis() == 300);
        cases.truncate(1);
    }
    let mut ceiling = Vec::new();
    for case in cases {
        eprintln!("{case:?}, {runs} times …");
        ceiling.push(Ceiling::measure(case, runs)?);
    }
    eprintln!("All streams, {runs} times …");
    let streams = AllStreams::measure(few, runs)?;
    eprintln!("CPU time of {many} orders, {runs} times …");
    let cpu = Cpu::measure(many, runs)?;
    eprintln!("Memory …");
    let mut memory = vec![Memory::measure(few)?, Memory { orders: many, peak: cpu.peak.max }];
    if flags.two_million {
        memory.push(Memory::measure(2_000_000)?);
    }
    Ok(Report { runs, ceiling, streams, cpu, memory, start_up: start_up(STARTS)? })
}

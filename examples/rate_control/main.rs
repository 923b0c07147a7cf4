//! How the connector keeps to a rate limit, alone and with others, played in virtual time:
//! `cargo run --example rate_control`. With `-- --draw` it also writes `docs/rate-control.svg`.

#![allow(clippy::print_stdout, reason = "an example talks to a person")]

mod drawing;
mod gaps;
mod scenarios;
mod simulation;

use simulation::{Scenario, Style, sum};

/// What is shown can be played again.
const SEED: u64 = 1;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:45} {:24} {:18} offered/s accepted/s  refused   others refused", "", "an API that", "");
    for scenario in scenarios::all() {
        for (style, name) in Style::ALL {
            show(&scenario, style, name);
        }
    }
    gaps::print(SEED);
    if std::env::args().any(|argument| argument == "--draw") {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rate-control.svg");
        std::fs::write(&file, drawing::draw()?)?;
        println!("written: {}", file.display());
    }
    Ok(())
}

/// A row for each client of ours in each span.
fn show(scenario: &Scenario, style: Style, name: &str) {
    let outcome = scenario.play(style, SEED);
    for (label, span) in scenario.spans {
        let others = sum(&outcome.others, span.clone());
        let others = if others.offered() == 0 { String::new() } else { percent(others.share_refused()) };
        for client in &outcome.ours {
            let count = sum(client, span.clone());
            let rate = |requests: u32| f64::from(requests) / f64::from(span.end - span.start);
            println!(
                "{:45} {name:24} {label:18} {:9.1} {:10.1} {:>8} {others:>16}",
                scenario.name,
                rate(count.offered()),
                rate(count.accepted),
                percent(count.share_refused()),
            );
        }
    }
}

fn percent(part: f64) -> String {
    format!("{:.1}%", 100.0 * part)
}

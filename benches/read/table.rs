//! The figures as Markdown.

use std::fmt::{self, Display, Formatter};

use aifi_sandbox::Limit;

use crate::figures::{Ceiling, Cpu, Memory, Spread};
use crate::streams::AllStreams;

/// All that was measured.
pub(crate) struct Report {
    /// How often each read was repeated.
    pub(crate) runs: usize,
    /// At the API's limit.
    pub(crate) ceiling: Vec<Ceiling>,
    /// All streams at once.
    pub(crate) streams: Vec<AllStreams>,
    /// CPU time.
    pub(crate) cpu: Cpu,
    /// Peak memory, by number of orders.
    pub(crate) memory: Vec<Memory>,
    /// Of `spec`, in seconds.
    pub(crate) start_up: Spread,
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let (version, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
        writeln!(out, "source-aifi {version}, {os}, {cores} cores; medians of {} runs", self.runs)?;
        self.ceiling(out)?;
        self.streams(out)?;
        self.cpu(out)?;
        writeln!(out, "\n| orders, no latency, no limit | peak memory, MiB |\n| ---: | ---: |")?;
        for Memory { orders, peak } in &self.memory {
            writeln!(out, "| {} | {} |", thousands(*orders), mebibytes(*peak))?;
        }
        let Spread { min, median, max } = self.start_up;
        writeln!(out, "\n| start-up of `spec`, ms | min | max |\n| ---: | ---: | ---: |")?;
        writeln!(out, "| {:.1} | {:.1} | {:.1} |", median * 1e3, min * 1e3, max * 1e3)
    }
}

impl Report {
    fn ceiling(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\n| latency, ms | limit | records | ideal, s | wall, s | min | max | ratio | requests | filled pages | refused | peak memory, MiB |"
        )?;
        writeln!(out, "| ---: | --- |{}", " ---: |".repeat(10))?;
        for row in &self.ceiling {
            let Spread { min, median, max } = row.wall;
            let limit = match row.case.limit {
                Limit::None => "none".to_owned(),
                Limit::SlidingSecond(most) => format!("{most} in any second"),
                Limit::Even { rate, .. } => format!("{rate} a second, evenly"),
            };
            writeln!(
                out,
                "| {} | {limit} | {} | {:.2} | {median:.2} | {min:.2} | {max:.2} | {:.2} | {} | {:.0} % | {} | {} |",
                row.case.latency.as_millis(),
                thousands(row.records.median as usize),
                row.case.ideal(),
                row.ratio(),
                row.requests.median,
                row.filled_pages.median * 100.0,
                row.refused.median,
                mebibytes(row.peak.median),
            )?;
        }
        Ok(())
    }

    fn streams(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "\n| all streams but `order_details`, 300 ms, 20 a second, evenly | records | requests | ideal, s | wall, s | min | max | ratio | round trips | refused | peak memory, MiB |"
        )?;
        writeln!(out, "| --- |{}", " ---: |".repeat(10))?;
        for row in &self.streams {
            let Spread { min, median, max } = row.wall;
            writeln!(
                out,
                "| {} | {} | {} | {:.2} | {median:.2} | {min:.2} | {max:.2} | {:.2} | {:.1} | {} | {} |",
                row.name,
                thousands(row.records.median as usize),
                row.requests.median,
                row.ideal(),
                median / row.ideal(),
                row.round_trips(),
                row.refused.median,
                mebibytes(row.peak.median),
            )?;
        }
        Ok(())
    }

    fn cpu(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let Cpu { orders, bare_loop, connector, .. } = &self.cpu;
        let per_100_000 = |seconds: f64| seconds * 1e5 / *orders as f64;
        writeln!(
            out,
            "\n| {} orders, no latency, no limit | CPU, s | min | max | per 100,000 orders, s | ratio |",
            thousands(*orders)
        )?;
        writeln!(out, "| --- |{}", " ---: |".repeat(5))?;
        for (name, Spread { min, median, max }) in [("bare loop", *bare_loop), ("source-aifi", *connector)] {
            let (per, ratio) = (per_100_000(median), median / bare_loop.median);
            writeln!(out, "| {name} | {median:.2} | {min:.2} | {max:.2} | {per:.2} | {ratio:.2} |")?;
        }
        Ok(())
    }
}

/// A number of bytes; where none was measured, a dash.
fn mebibytes(bytes: f64) -> String {
    if bytes > 0.0 { format!("{:.1}", bytes / f64::from(1 << 20)) } else { "-".to_owned() }
}

/// A number with a comma between thousands.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

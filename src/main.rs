//! Starts the connector: see the library for everything else.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use source_aifi::cli::Cli;
use source_aifi::failure::{Failure, FailureKind};
use source_aifi::protocol::output::{Output, report_panics};
use source_aifi::{run, signals, terminal};

fn main() -> ExitCode {
    report_panics();
    let mut output = Output::stdout();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &mut output),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure =
                Failure::new(FailureKind::Internal, "The connector could not start.").because(error);
            return end(output.failure(&failure, None).and(Err(failure)), &output);
        }
    };
    let result = runtime.block_on(run::run(&cli.command, &mut output, signals::watch()));
    end(result, &output)
}

/// Help and version are for people. A wrong command line is reported to them on stderr, and to a platform as a trace.
fn usage(error: &clap::Error, output: &mut Output) -> ExitCode {
    _ = error.print();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return ExitCode::SUCCESS;
    }
    let what = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "it has no command".to_owned(),
        // Clap's own text, up to the usage, on one line.
        _ => {
            let text = error.to_string();
            let text = text.split("\n\nUsage:").next().unwrap_or_default().trim_start_matches("error: ");
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        }
    };
    let text = format!("The command line is wrong: {what}. See source-aifi --help.");
    let failure = Failure::new(FailureKind::Usage, text);
    _ = output.failure(&failure, None);
    ExitCode::from(2)
}

fn end(result: Result<(), Failure>, output: &Output) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    match failure.kind {
        FailureKind::Interrupted => {
            if terminal::somebody_watches() {
                terminal::say("source-aifi: stopped; the next sync resumes from the last STATE message");
            }
            signals::die_stopped()
        }
        FailureKind::OutputClosed => signals::die_of_closed_output(),
        kind => {
            // What stdout cannot carry has no other place.
            if kind == FailureKind::Output || terminal::somebody_watches() {
                terminal::say(&format!("source-aifi: {}", output.scrub(&failure.message)));
            }
            ExitCode::FAILURE
        }
    }
}

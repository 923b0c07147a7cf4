//! The program of the checkout inbox.

use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = aifi_inbox::cli::Cli::parse();
    tracing_subscriber::fmt()
        .json()
        .with_writer(std::io::stderr)
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    aifi_inbox::run(cli).await
}

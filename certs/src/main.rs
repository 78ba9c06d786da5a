//! Makes, shows and exports development certificates, and checks those for production.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use serde_json::json;
use tickwire_certs::{Certificate, Store, load_pem};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Development certificates for a tickwire server, and their hashes for browsers.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Directory of the development certificates.
    #[arg(long, global = true, default_value = ".tickwire/certs")]
    dir: PathBuf,
    /// A further DNS name or address for them, besides localhost; may be given several times.
    #[arg(long = "name", global = true)]
    names: Vec<String>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Make missing or due certificates, and show both (the default).
    Show,
    /// Rotate to the next certificate now.
    Rotate,
    /// Write a certificate and its key as PEM files.
    Export(Export),
    /// Check a certificate and key for production.
    Check {
        /// The chain as PEM, the server's own certificate first.
        cert: PathBuf,
        /// The key as PEM.
        key: PathBuf,
    },
}

#[derive(Args)]
struct Export {
    /// File for the certificate.
    #[arg(long)]
    cert: PathBuf,
    /// File for the key, readable by its owner only.
    #[arg(long)]
    key: PathBuf,
    /// Export the next certificate, not the current one.
    #[arg(long)]
    next: bool,
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let flags = Flags::parse();
    let now = OffsetDateTime::now_utc();
    if let Some(Command::Check { cert, key }) = &flags.command {
        return check(cert, key, now, flags.json);
    }
    let mut store = Store::open_with_names(&flags.dir, now, &flags.names)?;
    match &flags.command {
        None | Some(Command::Show) => show(&store, flags.json),
        Some(Command::Rotate) => {
            store.rotate(now)?;
            show(&store, flags.json)
        }
        Some(Command::Export(export)) => write_pem(&store, export),
        Some(Command::Check { .. }) => unreachable!("answered above"),
    }
}

fn show(store: &Store, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        let both = json!({
            "current": to_json(store.current())?,
            "next": to_json(store.next())?,
            "rotates_at": store.rotates_at().format(&Rfc3339)?,
        });
        println!("{both}");
        return Ok(());
    }
    print_one("current", store.current())?;
    println!();
    print_one("next", store.next())?;
    println!("\nchanges over at {}", store.rotates_at().format(&Rfc3339)?);
    Ok(())
}

fn check(cert: &Path, key: &Path, now: OffsetDateTime, as_json: bool) -> anyhow::Result<()> {
    let certificate = load_pem(cert, key)?;
    if as_json {
        println!("{}", to_json(&certificate)?);
    } else {
        print_one("certificate", &certificate)?;
    }
    anyhow::ensure!(
        certificate.is_valid_at(now),
        "{} is not valid now; get a new certificate, or set the clock",
        cert.display()
    );
    Ok(())
}

fn write_pem(store: &Store, export: &Export) -> anyhow::Result<()> {
    let certificate = if export.next { store.next() } else { store.current() };
    std::fs::write(&export.cert, certificate.chain_pem())
        .with_context(|| format!("cannot write {}", export.cert.display()))?;
    tickwire_certs::write_private(&export.key, &certificate.key_pem())?;
    println!("wrote {} and {}", export.cert.display(), export.key.display());
    Ok(())
}

fn print_one(which: &str, certificate: &Certificate) -> anyhow::Result<()> {
    println!("{which}");
    println!("  valid from  {}", certificate.not_before.format(&Rfc3339)?);
    println!("  valid until {}", certificate.not_after.format(&Rfc3339)?);
    println!("  base64      {}", certificate.sha256_base64());
    println!("  hex         {}", certificate.sha256_hex());
    println!("  colons      {}", certificate.sha256_colon_hex());
    Ok(())
}

fn to_json(certificate: &Certificate) -> anyhow::Result<serde_json::Value> {
    Ok(json!({
        "not_before": certificate.not_before.format(&Rfc3339)?,
        "not_after": certificate.not_after.format(&Rfc3339)?,
        "sha256_base64": certificate.sha256_base64(),
        "sha256_hex": certificate.sha256_hex(),
        "sha256_colon_hex": certificate.sha256_colon_hex(),
    }))
}

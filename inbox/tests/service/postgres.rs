//! A PostgreSQL server of the tests' own, on loopback, for as long as they run.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Ends the server and removes its folder once the tests' end of the pipe is closed, however they end.
const GUARD: &str = r#""$1/postgres" -D "$2/data" -p "$3" -c fsync=off -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=200 >"$2/log" 2>&1 &
read -r _
kill -INT $!
wait
rm -rf "$2""#;

struct Server {
    binaries: PathBuf,
    port: u16,
    /// Its standard input is the pipe.
    _guard: Child,
}

/// A new database, or `None` when PostgreSQL is not installed.
pub(crate) fn database(name: &str) -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(start).as_ref();
    let Some(server) = server else {
        eprintln!("SKIPPED: PostgreSQL is not installed (Debian: postgresql), {name} ran on SQLite alone.");
        return None;
    };
    let port = server.port.to_string();
    let created = Command::new(server.binaries.join("createdb"))
        .args(["-h", "127.0.0.1", "-U", "aifi", "-p", port.as_str(), name])
        .status();
    assert!(created.unwrap().success(), "no database {name}");
    Some(format!("postgres://aifi@127.0.0.1:{port}/{name}"))
}

fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some(entry.ok()?.path())).max_by_key(version)?;
    Some(newest.join("bin")).filter(|path| path.join("initdb").exists())
}

/// The server refuses to be run by root.
fn as_its_user(command: &mut Command, folder: &Path) {
    let id = |text: &str| text.parse::<u32>().unwrap();
    if !is_root() {
        return;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let user = users.lines().find(|line| line.starts_with("postgres:")).expect("no user postgres");
    let fields: Vec<_> = user.split(':').collect();
    chown(folder, Some(id(fields[2])), Some(id(fields[3]))).unwrap();
    command.uid(id(fields[2])).gid(id(fields[3]));
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[expect(clippy::zombie_processes, reason = "the server lives as long as the tests do, and ends itself")]
fn start() -> Option<Server> {
    let binaries = binaries()?;
    let folder = tempfile::Builder::new().prefix("aifi-inbox-postgres-").tempdir().unwrap().keep();
    let mut initdb = Command::new(binaries.join("initdb"));
    initdb
        .arg("--pgdata")
        .arg(folder.join("data"))
        .args(["--username=aifi", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
        .current_dir(&folder)
        .stdout(Stdio::null());
    as_its_user(&mut initdb, &folder);
    assert!(initdb.status().unwrap().success(), "initdb failed");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut guard = Command::new("sh");
    guard
        .args(["-c", GUARD, "guard"])
        .arg(&binaries)
        .arg(&folder)
        .arg(port.to_string())
        .current_dir(&folder)
        .stdin(Stdio::piped());
    as_its_user(&mut guard, &folder);
    let guard = guard.spawn().unwrap();
    for _ in 0..300 {
        let ready = Command::new(binaries.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status();
        if ready.unwrap().success() {
            return Some(Server { binaries, port, _guard: guard });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("PostgreSQL did not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}

//! A PostgreSQL server of the tests' own, on loopback, for as long as they run.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// Runs the server until it gets the name of a signal to end by. Once the tests' end of the pipe is closed, however they end,
/// the server's folder is removed as well.
const GUARD: &str = r#""$1/postgres" -D "$2/data" -p "$3" -c fsync="$4" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=200 >>"$2/log" 2>&1 &
if read -r signal; then
    kill "-$signal" $!
    wait
else
    kill -INT $!
    wait
    rm -rf "$2"
fi"#;

/// A server on loopback.
pub(crate) struct Server {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    durable: bool,
    /// Its standard input is the pipe.
    guard: Option<Child>,
}

/// A new database on a server that all tests share, or `None` when PostgreSQL is not installed.
pub(crate) fn database(name: &str) -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| Server::start(false)).as_ref();
    if server.is_none() {
        eprintln!("SKIPPED: PostgreSQL is not installed (Debian: postgresql), {name} ran on SQLite alone.");
    }
    Some(server?.database(name))
}

/// A program of PostgreSQL's.
pub(crate) fn tool(name: &str) -> Command {
    Command::new(binaries().unwrap().join(name))
}

/// A copy of a database, by a dump, on the same server.
pub(crate) fn copy(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    let copy = format!("{server}/{name}");
    let dump = tempfile::NamedTempFile::new().unwrap();
    let run = |command: &mut Command| assert!(command.status().unwrap().success(), "{command:?}");
    run(tool("pg_dump").args(["--format=custom", url, "--file"]).arg(dump.path()));
    run(tool("psql").args(["--quiet", "-c", &format!("CREATE DATABASE {name}"), url]));
    run(tool("pg_restore").args(["--no-owner", "--dbname", &copy]).arg(dump.path()));
    copy
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

impl Server {
    /// A new server, or `None` when PostgreSQL is not installed. One that is `durable` survives the loss of power.
    pub(crate) fn start(durable: bool) -> Option<Self> {
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
        // Not one that a client's end of a connection may get while the server is down.
        let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let port = std::iter::repeat_with(|| fastrand::u16(20_000..30_000)).take(100).find(free).unwrap();
        let mut server = Self { binaries, folder, port, durable, guard: None };
        server.run();
        Some(server)
    }

    /// Runs it, again if need be, until it answers.
    pub(crate) fn run(&mut self) {
        let mut guard = Command::new("sh");
        guard
            .args(["-c", GUARD, "guard"])
            .args([&self.binaries, &self.folder])
            .args([self.port.to_string().as_str(), if self.durable { "on" } else { "off" }])
            .current_dir(&self.folder)
            .stdin(Stdio::piped());
        as_its_user(&mut guard, &self.folder);
        self.guard = Some(guard.spawn().unwrap());
        for _ in 0..300 {
            let ready = Command::new(self.binaries.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status();
            if ready.unwrap().success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("no PostgreSQL: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// Ends it at once, with no word to its clients and no checkpoint.
    pub(crate) fn crash(&mut self) {
        let mut guard = self.guard.take().unwrap();
        guard.stdin.take().unwrap().write_all(b"QUIT\n").unwrap();
        guard.wait().unwrap();
    }

    /// A new database.
    pub(crate) fn database(&self, name: &str) -> String {
        let port = self.port.to_string();
        let created = Command::new(self.binaries.join("createdb"))
            .args(["-h", "127.0.0.1", "-U", "aifi", "-p", port.as_str(), name])
            .status();
        assert!(created.unwrap().success(), "no database {name}");
        format!("postgres://aifi@127.0.0.1:{port}/{name}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.guard.take() {
            Some(mut guard) => {
                drop(guard.stdin.take());
                let _ = guard.wait();
            }
            None => drop(fs::remove_dir_all(&self.folder)),
        }
    }
}

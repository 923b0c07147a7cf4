//! A server whose answers a test makes: from gateways, token endpoints in trouble, or an API with odd rows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde_json::{Value, json};

/// The header of an answer in JSON.
pub const JSON: &str = "Content-Type: application/json\r\n";

/// An answer: status line, further headers, body.
pub type Said = (&'static str, &'static str, String);

/// A server on loopback that answers the request with this number (from 1), method and target by `answer`; when each
/// request came.
pub struct Server {
    pub address: String,
    pub came: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Server {
    /// Starts it.
    pub fn start(answer: impl Fn(usize, &str) -> Said + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let came = Arc::new(Mutex::new(Vec::new()));
        let (answer, all) = (Arc::new(answer), came.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten().take(10_000) {
                let (answer, came) = (answer.clone(), all.clone());
                std::thread::spawn(move || _ = serve(stream, &*answer, &came));
            }
        });
        Self { address, came }
    }

    /// A configuration for it.
    pub fn config(&self) -> Value {
        json!({
            "credentials": {"auth_type": "access_token", "access_token": "tok-0123456789"},
            "start_date": "2025-01-01T00:00:00Z",
            "base_url": format!("http://{}/api/admin/v2", self.address),
            "requests_per_second": 20,
        })
    }

    /// How many requests came for what begins with this method and target.
    pub fn count(&self, start: &str) -> usize {
        self.came.lock().unwrap().iter().filter(|(_, what)| what.starts_with(start)).count()
    }
}

fn serve(
    stream: TcpStream,
    answer: &(dyn Fn(usize, &str) -> Said + Send + Sync),
    came: &Mutex<Vec<(Instant, String)>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    for _ in 0..10_000 {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        let what = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if header.trim().is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length])?;
        let number = {
            let mut came = came.lock().unwrap();
            came.push((Instant::now(), what.clone()));
            came.len()
        };
        let (status, headers, body) = answer(number, &what);
        write!(
            stream,
            "HTTP/1.1 {status}\r\nDate: Sun, 30 Nov 2025 12:00:00 GMT\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}

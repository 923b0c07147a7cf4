//! A payment endpoint that shows what it got and answers as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the target answers.
#[derive(Clone)]
pub(crate) struct Answer {
    /// Head and body, as they go over the wire.
    pub(crate) bytes: Vec<u8>,
    /// How long it thinks.
    pub(crate) delay: Duration,
    /// Whether the connection stays open for the next request.
    pub(crate) keep: bool,
}

impl Answer {
    pub(crate) fn new(status: &str, headers: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
        Self { bytes: [head.as_bytes(), body].concat(), delay: Duration::ZERO, keep: false }
    }
}

/// A request as it came over the wire.
#[derive(Clone)]
pub(crate) struct Got {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Target {
    pub(crate) url: String,
    answer: Arc<Mutex<Answer>>,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Target {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/pay", listener.local_addr().unwrap());
        let (answer, got) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let (answers, gets) = (answer.clone(), got.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, gets) = (answers.clone(), gets.clone());
                tokio::spawn(async move { serve(stream, &answers, &gets).await });
            }
        });
        Self { url, answer, got }
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

/// Serves one request, or more, then the connection closes.
async fn serve(mut stream: TcpStream, answer: &Mutex<Answer>, got: &Mutex<Vec<Got>>) {
    let _ = stream.set_nodelay(true);
    while serve_one(&mut stream, answer, got).await.is_some() {}
}

/// `Some` if the connection stays.
async fn serve_one(stream: &mut TcpStream, answer: &Mutex<Answer>, got: &Mutex<Vec<Got>>) -> Option<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let whole = end + length.map_or(0, |length| length.parse::<usize>().unwrap());
    while bytes.len() < whole {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    let answer = answer.lock().unwrap().clone();
    if answer.keep {
        // Figures are taken: nothing is remembered.
        stream.write_all(&answer.bytes).await.ok()
    } else {
        got.lock().unwrap().push(Got { head, body: bytes.split_off(end) });
        tokio::time::sleep(answer.delay).await;
        let _ = stream.write_all(&answer.bytes).await;
        None
    }
}

//! The control socket's daemon side: one request a connection, from root or the daemon's own user alone.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use knock_spa_proto::control::{Command, MAX_REQUEST, Reply, Versioned};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::control;

/// Who takes so long to ask, or to take the answer, is left.
const PATIENCE: Duration = Duration::from_secs(5);

/// Requests that wait at most.
const WAITING: usize = 8;

/// A request of the administrator.
pub(super) struct Asked {
    pub(super) command: Command,
    reply: oneshot::Sender<Reply>,
}

impl Asked {
    pub(super) fn answer(self, reply: Reply) {
        if self.reply.send(reply).is_err() {
            tracing::debug!(event = "control-gone", "the asker did not wait for the answer");
        }
    }
}

/// The control socket.
pub(super) struct Desk {
    path: PathBuf,
    accepting: JoinHandle<()>,
    asked: mpsc::Receiver<Asked>,
}

impl Desk {
    /// Opens the socket in place of one that a daemon before this one left behind.
    pub(super) fn open(runtime: &Path) -> io::Result<Self> {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(runtime)?;
        let path = control::socket(runtime);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let socket = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let (sender, asked) = mpsc::channel(WAITING);
        let accepting = tokio::spawn(accept(socket, sender));
        Ok(Self { path, accepting, asked })
    }

    /// The next request.
    pub(super) async fn next(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.accepting.abort();
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(event = "control-left", %error);
        }
    }
}

/// Serves one connection after the other.
async fn accept(socket: UnixListener, sender: mpsc::Sender<Asked>) {
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                serve(stream, &sender).await;
            }
            Err(error) => {
                tracing::warn!(event = "control-failed", %error);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, sender: &mpsc::Sender<Asked>) {
    let reply = match tokio::time::timeout(PATIENCE, read_command(&mut stream)).await {
        Ok(Ok(command)) => ask(command, sender).await,
        Ok(Err(why)) => Reply::Failed { why },
        Err(_elapsed) => return,
    };
    let Ok(mut line) = serde_json::to_vec(&Versioned::new(reply)) else { return };
    line.push(b'\n');
    match tokio::time::timeout(PATIENCE, stream.write_all(&line)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(event = "control-gone", %error),
        Err(_elapsed) => tracing::debug!(event = "control-slow"),
    }
}

async fn read_command(stream: &mut UnixStream) -> Result<Command, String> {
    let peer = stream.peer_cred().map_err(|error| error.to_string())?;
    if peer.uid() != 0 && peer.uid() != rustix::process::geteuid().as_raw() {
        return Err("only root may ask".into());
    }
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX);
    let mut reader = BufReader::new(stream).take(limit);
    reader.read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
    control::parse(&line)
}

async fn ask(command: Command, sender: &mpsc::Sender<Asked>) -> Reply {
    let (reply, answer) = oneshot::channel();
    let stopping = || Reply::Failed { why: "the daemon is stopping".into() };
    if sender.send(Asked { command, reply }).await.is_err() {
        return stopping();
    }
    answer.await.unwrap_or_else(|_gone| stopping())
}

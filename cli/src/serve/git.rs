//! Repositories that are pushed here: git's own backend behind `/git/NAME`.
//!
//! The first push makes the repository. Whoever pulls needs `codecommit:GitPull`, whoever pushes
//! `codecommit:GitPush`, on `arn:aws:codecommit:REGION:ACCOUNT:NAME`.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use access::{Caller, keys::Keys, policy::Decision};
use bytes::Bytes;
use embedded::repositories::bare_repository;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use ports::Account;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Notify, Semaphore, mpsc},
    time::timeout,
};

use super::{
    answer::Answer,
    basic,
    visit::{Visit, identity},
};

/// How much one push may send.
const PUSH_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// How long one request may take.
const WITHIN: Duration = Duration::from_mins(30);

/// The longest head that the backend may answer with.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How many backends begin at a time; more wait.
pub const BACKENDS_MAX: usize = 16;

/// How many pieces of an answer wait for a slow client.
const PIECES_WAITING: usize = 8;

/// The repositories that were pushed here.
pub struct Git {
    pub folder: PathBuf,
    pub account: Arc<Account>,
    pub keys: Arc<dyn Keys>,
    /// Told when something was pushed.
    pub pushed: Arc<Notify>,
    /// How many backends may begin at a time: [`BACKENDS_MAX`].
    pub turns: Semaphore,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Pull,
    Push,
}

impl Wish {
    fn action(self) -> &'static str {
        match self {
            Self::Pull => "codecommit:GitPull",
            Self::Push => "codecommit:GitPush",
        }
    }
}

impl Git {
    /// Answers a request below `/git/`.
    pub async fn answer(self: &Arc<Self>, request: Request<Incoming>, source: &str) -> Answer {
        let mut visit = Visit {
            service: "codecommit",
            operation: "GitPull",
            user: identity(None),
            resource: String::new(),
            only_reads: true,
        };
        let answer = self.serve(request, source, &mut visit).await;
        visit.noted(answer)
    }

    async fn serve(
        self: &Arc<Self>,
        request: Request<Incoming>,
        source: &str,
        visit: &mut Visit,
    ) -> Answer {
        let rest = request
            .uri()
            .path()
            .strip_prefix("/git/")
            .unwrap_or_default();
        let (name, service) = rest.split_once('/').unwrap_or((rest, ""));
        let name = name.strip_suffix(".git").unwrap_or(name).to_owned();
        let Some(wish) = wish(service, request.uri().query().unwrap_or_default()) else {
            return plain(
                StatusCode::NOT_FOUND,
                "git's smart protocol alone is spoken here",
            );
        };
        visit.resource = self.arn(&name);
        if wish == Wish::Push {
            visit.operation = "GitPush";
            visit.only_reads = service != "git-receive-pack";
        }
        let Some(path) = bare_repository(&self.folder, &name) else {
            let text = "a repository's name has letters, digits, `.`, `-` and `_`";
            return plain(StatusCode::BAD_REQUEST, text);
        };
        let Some(caller) = basic::caller(request.headers(), &*self.keys, source).await else {
            let text = "give an access key as user name and its secret as password";
            let mut answer = plain(StatusCode::UNAUTHORIZED, text);
            let challenge = HeaderValue::from_static("Basic realm=\"pipewright\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            return answer;
        };
        visit.user = identity(Some(&caller));
        if let Err(text) = self.allow(&caller, wish, &name) {
            return plain(StatusCode::FORBIDDEN, &text);
        }
        if !path.is_dir() {
            if wish == Wish::Pull {
                let text = format!("there is no repository {name}; the first push makes it");
                return plain(StatusCode::NOT_FOUND, &text);
            }
            (visit.operation, visit.only_reads) = ("CreateRepository", false);
            if let Err(error) = create(&path).await {
                return plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("cannot make the repository: {error}"),
                );
            }
        }
        let service = service.to_owned();
        // Nobody closes the semaphore.
        let Ok(_turn) = self.turns.acquire().await else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
        };
        match self.run(request, &path, &service, &caller).await {
            Ok(answer) => answer,
            Err(error) => plain(
                StatusCode::INTERNAL_SERVER_ERROR,
                &format!("git failed: {error}"),
            ),
        }
    }

    fn allow(&self, caller: &Caller, wish: Wish, name: &str) -> Result<(), String> {
        let arn = self.arn(name);
        match caller.decide(wish.action(), &arn, &BTreeMap::new()) {
            Decision::Allowed => Ok(()),
            Decision::NotAllowed | Decision::Denied(_) => Err(format!(
                "User: {} is not authorized to perform: {} on resource: {arn}",
                caller.arn(),
                wish.action()
            )),
        }
    }

    fn arn(&self, name: &str) -> String {
        let Account { id, region } = &*self.account;
        format!("arn:aws:codecommit:{region}:{id}:{name}")
    }

    async fn run(
        self: &Arc<Self>,
        request: Request<Incoming>,
        path: &Path,
        service: &str,
        caller: &Caller,
    ) -> io::Result<Answer> {
        let (parts, body) = request.into_parts();
        let header = |name: HeaderName| {
            let value = parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            OsString::from(value.unwrap_or_default())
        };
        let mut child = Command::new("git")
            .arg("http-backend")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            // What was accepted is on disk.
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "core.fsync")
            .env("GIT_CONFIG_VALUE_0", "all")
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("GIT_PROJECT_ROOT", path)
            .env("PATH_INFO", format!("/{service}"))
            .env("REQUEST_METHOD", parts.method.as_str())
            .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
            .env("CONTENT_TYPE", header(CONTENT_TYPE))
            .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING))
            .env("CONTENT_LENGTH", header(CONTENT_LENGTH))
            .env(
                "GIT_PROTOCOL",
                header(HeaderName::from_static("git-protocol")),
            )
            .env("REMOTE_USER", caller.access_key().unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("its pipes are not there"));
        };
        tokio::spawn(timeout(WITHIN, send(body, stdin)));
        let mut stdout = BufReader::new(stdout);
        let mut response = timeout(WITHIN, head(&mut stdout))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let (pieces, received) = mpsc::channel(PIECES_WAITING);
        let pushed = (service == "git-receive-pack").then(|| Arc::clone(&self.pushed));
        tokio::spawn(async move {
            let _ = timeout(WITHIN, relay(child, stdout, pieces)).await;
            if let Some(pushed) = pushed {
                pushed.notify_one();
            }
        });
        let pieces = futures_util::stream::unfold(received, |mut received| async {
            let piece: Result<Frame<Bytes>, io::Error> = received.recv().await?;
            Some((piece, received))
        });
        *response.body_mut() = StreamBody::new(pieces).boxed_unsync();
        Ok(response)
    }
}

/// What a request wants of a repository, by the service that it names.
fn wish(service: &str, query: &str) -> Option<Wish> {
    match (service, query) {
        ("git-upload-pack", _) | ("info/refs", "service=git-upload-pack") => Some(Wish::Pull),
        ("git-receive-pack", _) | ("info/refs", "service=git-receive-pack") => Some(Wish::Push),
        _ => None,
    }
}

/// Makes a repository, whole or not at all.
async fn create(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let making = tempfile::Builder::new()
        .prefix(".making-")
        .tempdir_in(folder)?;
    let inside = making.path().join("repository");
    git(Command::new("git")
        .args(["init", "--quiet", "--bare", "--initial-branch=main"])
        .arg(&inside))
    .await?;
    git(Command::new("git")
        .arg("-C")
        .arg(&inside)
        .args(["config", "http.receivepack", "true"]))
    .await?;
    match fs::rename(&inside, path) {
        // Somebody else's first push was faster.
        Err(_) if path.is_dir() => Ok(()),
        renamed => renamed,
    }
}

async fn git(command: &mut Command) -> io::Result<()> {
    let done = command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await?;
    if done.success() {
        return Ok(());
    }
    Err(io::Error::other("git could not make it"))
}

/// Gives the body to the backend, as much as a push may have.
async fn send(mut body: Incoming, mut stdin: ChildStdin) -> io::Result<()> {
    let mut sent: u64 = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        sent += data.len() as u64;
        if sent > PUSH_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        stdin.write_all(&data).await?;
    }
    stdin.shutdown().await
}

/// The head of the backend's answer, which has the form of a CGI script's.
async fn head(stdout: &mut BufReader<ChildStdout>) -> io::Result<Answer> {
    let mut response: Answer = Response::new(
        http_body_util::Empty::new()
            .map_err(|never| match never {})
            .boxed_unsync(),
    );
    let mut read = 0;
    loop {
        let mut line = String::new();
        read += stdout.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            return if read > 0 {
                Ok(response)
            } else {
                Err(io::ErrorKind::UnexpectedEof.into())
            };
        }
        if read > HEAD_BYTES_MAX {
            return Err(io::Error::other("its head is too long"));
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            *response.status_mut() =
                StatusCode::from_bytes(code.as_bytes()).map_err(io::Error::other)?;
        } else {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
            let value = HeaderValue::from_str(value).map_err(io::Error::other)?;
            response.headers_mut().insert(name, value);
        }
    }
}

async fn relay(
    mut child: Child,
    mut stdout: BufReader<ChildStdout>,
    pieces: mpsc::Sender<Result<Frame<Bytes>, io::Error>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stdout.read(&mut buffer).await {
            Ok(0) => break,
            Ok(length) => {
                let piece = Frame::data(Bytes::copy_from_slice(&buffer[..length]));
                if pieces.send(Ok(piece)).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                let _ = pieces.send(Err(error)).await;
                break;
            }
        }
    }
    // A backend whose client has gone is not waited for; the handle kills it.
    drop(pieces);
    let _ = timeout(Duration::from_secs(10), child.wait()).await;
}

fn plain(status: StatusCode, text: &str) -> Answer {
    super::answer::text(status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_smart_protocol_is_spoken() {
        assert_eq!(
            wish("info/refs", "service=git-upload-pack"),
            Some(Wish::Pull)
        );
        assert_eq!(wish("git-upload-pack", ""), Some(Wish::Pull));
        assert_eq!(
            wish("info/refs", "service=git-receive-pack"),
            Some(Wish::Push)
        );
        assert_eq!(wish("git-receive-pack", ""), Some(Wish::Push));
        for (service, query) in [
            ("info/refs", ""),
            ("HEAD", ""),
            ("objects/info/packs", ""),
            ("", ""),
        ] {
            assert_eq!(wish(service, query), None, "{service}?{query}");
        }
    }
}

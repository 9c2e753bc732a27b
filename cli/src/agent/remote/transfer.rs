//! One object, by the URL that opens it: a file in, a file out.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};

use model::build::RemoteInput;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    api::{agent, config},
    stop::Stop,
};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long one object may take: 5 GB at 3 MB a second.
const OBJECT_WITHIN: Duration = Duration::from_mins(30);

const BUFFER_BYTES: usize = 256 << 10;

#[derive(Debug, Error)]
pub(super) enum TransferError {
    /// It will be no different the next time.
    #[error("{0}")]
    Refused(String),
    /// It may work the next time, or with a new URL.
    #[error("{0}")]
    Broken(String),
    #[error("the build is stopped")]
    Stopped,
    #[error("failed to write or read a file")]
    File(#[source] io::Error),
}

/// Fetches an object whose bytes are those that were announced.
pub(super) fn get(input: &RemoteInput, to: &Path, stop: &Stop) -> Result<(), TransferError> {
    let config = config(&input.url)
        .timeout_connect(Some(CONNECT_WITHIN))
        .timeout_global(Some(OBJECT_WITHIN));
    let answer = agent(config.build()).get(&input.url).call();
    let mut answer = answer.map_err(|error| TransferError::Broken(error.to_string()))?;
    match answer.status().as_u16() {
        200 => {}
        status @ (408 | 429 | 500..) => {
            return Err(TransferError::Broken(format!("the answer is {status}")));
        }
        status => return Err(TransferError::Refused(format!("the answer is {status}"))),
    }
    let mut file = File::create(to).map_err(TransferError::File)?;
    let from = answer.body_mut().as_reader();
    let (size, sha256) = copy(from, &mut file, input.size, stop)?;
    if size != input.size {
        let text = format!("it has {} bytes, and {size} came", input.size);
        return Err(TransferError::Broken(text));
    }
    if input
        .sha256
        .as_ref()
        .is_some_and(|wanted| *wanted != sha256)
    {
        let text = "it is damaged: its SHA-256 is not the recorded one".to_owned();
        return Err(TransferError::Refused(text));
    }
    Ok(())
}

/// Copies no more than one byte too many.
fn copy(
    from: impl Read,
    to: &mut File,
    size: u64,
    stop: &Stop,
) -> Result<(u64, String), TransferError> {
    let mut from = from.take(size + 1);
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut copied, mut digest) = (0, Sha256::new());
    loop {
        if stop.is_raised() {
            return Err(TransferError::Stopped);
        }
        let read = from.read(&mut buffer);
        let read = read.map_err(|error| TransferError::Broken(error.to_string()))?;
        if read == 0 {
            return Ok((copied, hex::encode(digest.finalize())));
        }
        digest.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(TransferError::File)?;
        copied += read as u64;
    }
}

/// The size of a file in bytes and its SHA-256 in hex.
pub(super) fn measure(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let (mut size, mut digest) = (0, Sha256::new());
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex::encode(digest.finalize())));
        }
        digest.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Puts a file where a URL says.
pub(super) fn put<'a>(
    from: &Path,
    url: &str,
    headers: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Result<(), TransferError> {
    let config = config(url)
        .timeout_connect(Some(CONNECT_WITHIN))
        .timeout_global(Some(OBJECT_WITHIN));
    let file = File::open(from).map_err(TransferError::File)?;
    let mut request = agent(config.build()).put(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request.send(file);
    let answer = answer.map_err(|error| TransferError::Broken(error.to_string()))?;
    match answer.status().as_u16() {
        200..=299 => Ok(()),
        // A URL may be too old, or the object there already: the next one tells.
        status => Err(TransferError::Broken(format!("the answer is {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::Server, *};

    const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    /// What becomes of an input of five bytes for which that comes.
    fn got(status: u16, body: &'static str, sha256: &str) -> Result<String, TransferError> {
        let server = Server::start(move |_| Some((status, body.to_owned())));
        let input = RemoteInput {
            url: server.url.clone(),
            size: 5,
            sha256: Some(sha256.to_owned()),
        };
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("0");
        get(&input, &to, &Stop::default())?;
        Ok(std::fs::read_to_string(to).unwrap())
    }

    #[test]
    fn an_object_is_taken_only_whole_and_as_it_was_stored() {
        assert_eq!(got(200, "hello", HELLO).unwrap(), "hello");
        let damaged = got(200, "jello", HELLO).unwrap_err();
        assert!(matches!(damaged, TransferError::Refused(_)), "{damaged}");
        for body in ["hell", "hello "] {
            let cut = got(200, body, HELLO).unwrap_err();
            assert!(matches!(cut, TransferError::Broken(_)), "{cut}");
        }
        let later = got(503, "", HELLO).unwrap_err();
        assert!(matches!(later, TransferError::Broken(_)), "{later}");
        let denied = got(403, "", HELLO).unwrap_err();
        assert!(matches!(denied, TransferError::Refused(_)), "{denied}");
    }

    #[test]
    fn a_stopped_build_fetches_nothing_more() {
        let stop = Stop::default();
        stop.raise();
        let server = Server::start(|_| Some((200, "hello".to_owned())));
        let input = RemoteInput {
            url: server.url.clone(),
            size: 5,
            sha256: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let stopped = get(&input, &folder.path().join("0"), &stop);
        assert!(matches!(stopped, Err(TransferError::Stopped)));
    }

    #[test]
    fn a_file_is_put_as_it_is_with_the_headers_that_were_signed() {
        let server = Server::start(|nth| Some((if nth == 0 { 200 } else { 412 }, String::new())));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("0.zip");
        std::fs::write(&file, "hello").unwrap();
        assert_eq!(measure(&file).unwrap(), (5, HELLO.to_owned()));
        let headers = [("if-none-match".to_owned(), "*".to_owned())];
        let headers = || headers.iter().map(|(name, value)| (name, value));
        put(&file, &format!("{}/k?x", server.url), headers()).unwrap();
        let heard = server.heard();
        assert_eq!(
            (heard[0].line.as_str(), heard[0].body.as_str()),
            ("PUT /k?x HTTP/1.1", "hello")
        );
        let there = put(&file, &server.url, headers()).unwrap_err();
        assert!(matches!(there, TransferError::Broken(_)), "{there}");
    }
}

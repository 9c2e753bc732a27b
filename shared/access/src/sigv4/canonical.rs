//! The one form of a request that both sides hash.

use super::Request;

/// The canonical request.
pub(super) fn request(request: &Request<'_>, signed: &[String], body: &str) -> String {
    let mut headers = String::new();
    for name in signed {
        for value in request.values(name) {
            headers.extend([name, ":", &folded(value), "\n"]);
        }
    }
    let (method, path) = (request.method, path(request.path));
    let (query, signed) = (query(request.query), signed.join(";"));
    format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{body}")
}

/// Without white space around it, and with one space where there were more.
fn folded(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path without `.`, `..` and empty segments, each segment encoded once more: services other
/// than S3 sign it so.
fn path(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    let encoded: Vec<String> = segments.iter().map(|s| encode(s.as_bytes())).collect();
    let ends_open = path.ends_with('/') && !encoded.is_empty();
    format!("/{}{}", encoded.join("/"), if ends_open { "/" } else { "" })
}

fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode(name)), encode(&decode(value)))
        })
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("&")
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            other => {
                text.push('%');
                for digit in [other >> 4, other & 15] {
                    text.push(char::from(b"0123456789ABCDEF"[usize::from(digit)]));
                }
            }
        }
    }
    text
}

/// What was encoded; a `%` that begins nothing stands for itself.
fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let escaped = escaped.and_then(|digits| hex::decode(digits).ok());
        if let Some([byte]) = escaped.as_deref() {
            decoded.push(*byte);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    decoded
}

//! Where a secret of the file really stands.

use std::{fs::File, io::Read, os::unix::fs::MetadataExt};

use access::keys::Secret;
use model::declaration::{
    decode::{Decoder, Fields},
    node::Node,
    path::Path,
};

use super::problem;

/// The largest secret in a file of its own.
const FILE_BYTES_MAX: u64 = 4_096;

/// The permission bits of a file that others than its owner could read or change.
const OTHERS: u32 = 0o077;

/// Finds values by name; what does the looking belongs to whoever starts the server.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// In the secrets file.
    pub secret: &'a dyn Fn(&str) -> Option<String>,
    /// In the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Reads a reference and what it refers to; no message quotes a value.
pub(super) fn secret(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    lookup: &Lookup<'_>,
) -> Option<Secret> {
    let read = |fields: &mut Fields<'_>| {
        [
            ("secret", fields.optional_text("secret")),
            ("env", fields.optional_text("env")),
            ("file", fields.optional_text("file")),
        ]
    };
    let named = decoder.object(node, path, read)?;
    let named: Vec<_> = named
        .into_iter()
        .filter_map(|(kind, name)| Some((kind, name?)))
        .collect();
    if named.is_empty() && node.entries().is_some_and(|entries| !entries.is_empty()) {
        // What is there instead was reported as unknown.
        return None;
    }
    let found =
        match named.as_slice() {
            [("secret", name)] => (lookup.secret)(name)
                .ok_or_else(|| format!("the secrets file has no secret `{name}`")),
            [("env", name)] => (lookup.env)(name)
                .ok_or_else(|| format!("the environment has no variable `{name}`")),
            [(_, file)] => from_file(file),
            _ => Err("a secret is named in one of three ways".to_owned()),
        };
    let empty = |value: &String| !value.is_empty();
    match found.and_then(|value| {
        Some(value)
            .filter(empty)
            .ok_or("the secret is empty".into())
    }) {
        Ok(value) => Some(Secret::new(value)),
        Err(message) => {
            let help = "write {secret: NAME} of the secrets file, {env: NAME} or {file: PATH}";
            decoder.report(problem(path, message).at(node.place).with_help(help));
            None
        }
    }
}

fn from_file(path: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("`{path}` cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & OTHERS != 0 {
        return Err(format!("others can read `{path}`: run `chmod 600 {path}`"));
    }
    let mut text = String::new();
    let mut file = file.take(FILE_BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("`{path}` takes more than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

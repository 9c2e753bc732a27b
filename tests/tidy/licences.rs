//! Whose terms come with the crates that we build on.

use pipewright_tests::metadata;

/// Terms that let anybody use, change and pass on what Pipewright is built from.
const ALLOWED: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    // The list of certificate authorities that browsers trust: data.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Whether the terms can be met: all of what is joined by `AND`, one of what is joined by `OR`.
fn is_allowed(expression: &str) -> bool {
    let text = expression.replace('/', " OR ");
    joined(&text, " AND ").iter().all(|part| {
        joined(inner(part), " OR ")
            .iter()
            .any(|one| ALLOWED.contains(one) || nested(one))
    })
}

/// A part in parentheses is an expression of its own.
fn nested(part: &str) -> bool {
    part.starts_with('(') && is_allowed(inner(part))
}

fn inner(part: &str) -> &str {
    part.strip_prefix('(')
        .and_then(|part| part.strip_suffix(')'))
        .unwrap_or(part)
}

/// Splits where the word stands outside of parentheses.
fn joined<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut from) = (0_usize, 0);
    for (place, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && place >= from && text[place..].starts_with(word) => {
                parts.push(text[from..place].trim());
                from = place + word.len();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

#[test]
fn every_crate_comes_under_terms_that_we_accept() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("there are packages");
    let refused: Vec<_> = packages
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_allowed))
        .map(|package| format!("{} {}", package["name"], package["license"]))
        .collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn terms_are_read_as_they_are_written() {
    for fine in [
        "MIT",
        "MIT/Apache-2.0",
        "Unlicense OR MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        "GPL-3.0 OR (MIT AND Zlib)",
    ] {
        assert!(is_allowed(fine), "{fine}");
    }
    for refused in [
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(GPL-3.0 OR BUSL-1.1) AND MIT",
        "",
    ] {
        assert!(!is_allowed(refused), "{refused}");
    }
}

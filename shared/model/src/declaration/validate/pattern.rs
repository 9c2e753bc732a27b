//! A first look at a regular expression of a `VariableCheck` rule (spec 30 §10).
//!
//! It finds what no dialect could read: an open group or class, a repetition of nothing, a lone
//! backslash. Everything else is left to the engine that runs the rule.

/// What is wrong with a pattern.
pub(super) fn fault(pattern: &str) -> Option<String> {
    let mut groups = 0_usize;
    // Whether a repetition has something before it that it may repeat.
    let mut repeatable = false;
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                None => return Some("the backslash at the end has nothing to escape".to_owned()),
                Some('Q') => {
                    // Everything up to `\E` is literal.
                    let quoted = rest.as_str();
                    rest = quoted
                        .find("\\E")
                        .map_or("", |end| &quoted[end + 2..])
                        .chars();
                    repeatable = true;
                }
                Some(_) => repeatable = true,
            },
            '[' => {
                match class(rest.as_str()) {
                    Class::Ends(after) => rest = after.chars(),
                    Class::Unclear => return None,
                    Class::Open => {
                        return Some("a `[` is never closed; write `\\[` for the character".into());
                    }
                }
                repeatable = true;
            }
            '(' => {
                groups += 1;
                repeatable = false;
                // `(?` begins a group of a special kind.
                if rest.as_str().starts_with('?') {
                    rest.next();
                }
            }
            ')' => {
                if groups == 0 {
                    return Some("a `)` closes nothing; write `\\)` for the character".to_owned());
                }
                groups -= 1;
                repeatable = true;
            }
            '|' => repeatable = false,
            '*' | '+' | '?' if !repeatable => {
                return Some(format!(
                    "`{c}` repeats nothing; write `\\{c}` for the character"
                ));
            }
            _ => repeatable = true,
        }
    }
    (groups > 0).then(|| "a `(` is never closed; write `\\(` for the character".to_owned())
}

/// How a character class goes on after its `[`.
enum Class<'a> {
    Ends(&'a str),
    Open,
    /// Brackets within brackets that do not add up: dialects differ.
    Unclear,
}

fn class(text: &str) -> Class<'_> {
    let mut depth = 1_usize;
    let mut is_first = true;
    let mut chars = text.char_indices();
    let mut closes = false;
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                chars.next();
            }
            '^' if is_first => continue,
            // A bracket that comes first stands for itself.
            ']' if is_first => closes = true,
            '[' => depth += 1,
            ']' => {
                closes = true;
                depth -= 1;
                if depth == 0 {
                    return Class::Ends(&text[at + 1..]);
                }
            }
            _ => {}
        }
        is_first = false;
    }
    if closes { Class::Unclear } else { Class::Open }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_any_dialect_pass() {
        for good in [
            "",
            "main|release/.*",
            "(?<year>\\d{4})-(?:a|b)*",
            "[^]*]+",
            "a++",
            "[a-z&&[^b]]",
            "\\Q(*\\E+",
            "\\Qopen",
            "(?=x)y",
            "[[]",
            "()*",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
    }

    #[test]
    fn what_no_dialect_reads_is_refused() {
        for bad in ["(a", "a)", "[abc", "*a", "a|+", "(*a)", "a\\"] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}

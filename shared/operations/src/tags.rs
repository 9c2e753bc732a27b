//! Tags: what they may be (spec 10, `TagResource`), and on what.

use std::{collections::BTreeMap, sync::Arc};

use model::Rejection;
use ports::Account;

/// How many tags a resource may have.
const TAGS_MAX: usize = 50;

const SERVICE: &str = "codepipeline";

/// The tags `known` with those of the request added; the same key again replaces its value.
pub(crate) fn with(
    known: &BTreeMap<String, String>,
    added: &[(String, String)],
    arn: &str,
) -> Result<Arc<BTreeMap<String, String>>, Rejection> {
    let mut tags = known.clone();
    let mut keys = std::collections::BTreeSet::new();
    for (key, value) in added {
        check(key)?;
        check_characters(value)?;
        if !keys.insert(key) {
            let message = format!("the key `{key}` is there twice; name each key once");
            return Err(Rejection::InvalidTags(message));
        }
        tags.insert(key.clone(), value.clone());
    }
    if tags.len() > TAGS_MAX {
        return Err(Rejection::TooManyTags(arn.to_owned()));
    }
    Ok(Arc::new(tags))
}

/// Whether somebody may use that key.
pub(crate) fn check(key: &str) -> Result<(), Rejection> {
    if key.to_lowercase().starts_with("aws:") {
        let message = "Not allowed to modify system tags. System tags start with 'aws:'. \
                       Use another prefix";
        return Err(Rejection::InvalidTags(message.to_owned()));
    }
    if key.trim().is_empty() || key.ends_with(' ') {
        let message = format!("the key `{key}` is only spaces, or ends with one");
        return Err(Rejection::InvalidTags(message));
    }
    check_characters(key)
}

fn check_characters(text: &str) -> Result<(), Rejection> {
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    if text.chars().all(allowed) {
        return Ok(());
    }
    let message = format!("`{text}` has characters other than letters, digits, space and +-=._:/@");
    Err(Rejection::InvalidTags(message))
}

/// The name of the pipeline that an ARN is of.
pub(crate) fn pipeline_of(account: &Account, arn: &str) -> Result<String, Rejection> {
    let invalid = |why: &str| Rejection::InvalidArn(format!("{arn} {why}"));
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    // In another partition it would be another pipeline, and for policies it is.
    let ["arn", "aws", SERVICE, region, id, tail] = parts[..] else {
        return Err(invalid("is not an ARN of CodePipeline"));
    };
    if region != account.region || id != account.id {
        let here = format!("{SERVICE}:{}:{}", account.region, account.id);
        return Err(invalid(&format!(
            "is not of this account; ARNs here begin with arn:aws:{here}:"
        )));
    }
    if tail.starts_with("webhook:") || tail.starts_with("actiontype:") {
        return Err(Rejection::ResourceNotFound(format!(
            "nothing is there behind {arn}"
        )));
    }
    if tail.contains('/') {
        return Err(invalid(
            "is of a stage or an action; only whole pipelines have tags",
        ));
    }
    Ok(tail.to_owned())
}

/// No pipeline has the name in the ARN.
pub(crate) fn no_pipeline(account: &Account, pipeline: &str) -> Rejection {
    Rejection::ResourceNotFound(format!(
        "The account with id '{}' does not include a pipeline with the name '{pipeline}'",
        account.id
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(keys: &[&str]) -> Vec<(String, String)> {
        let pair = |key: &&str| ((*key).to_owned(), "v".to_owned());
        keys.iter().map(pair).collect()
    }

    #[test]
    fn a_key_is_not_the_systems_nor_blank_nor_there_twice() {
        let known = BTreeMap::from([("a".to_owned(), "old".to_owned())]);
        let tags = with(&known, &pairs(&["a", "b c", "ü:/@"]), "arn").expect("they are fine");
        assert_eq!(tags["a"], "v");
        assert_eq!(tags.len(), 3);
        for keys in [
            &["aws:x"][..],
            &["AWS:x"],
            &[" "],
            &["a "],
            &["a", "a"],
            &["a\n"],
            &["#"],
        ] {
            let refused = with(&known, &pairs(keys), "arn");
            assert!(
                matches!(refused, Err(Rejection::InvalidTags(_))),
                "{keys:?}"
            );
        }
        let value = [("a".to_owned(), "\u{7}".to_owned())];
        assert!(matches!(
            with(&known, &value, "arn"),
            Err(Rejection::InvalidTags(_))
        ));
    }

    #[test]
    fn a_resource_has_fifty_tags_at_most() {
        let names: Vec<String> = (0..TAGS_MAX).map(|n| format!("k{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let full = with(&BTreeMap::new(), &pairs(&names), "arn").expect("fifty are taken");
        assert!(
            with(&full, &pairs(&["k0"]), "arn").is_ok(),
            "a value is replaced"
        );
        let refused = with(&full, &pairs(&["other"]), "arn");
        assert_eq!(refused, Err(Rejection::TooManyTags("arn".to_owned())));
    }

    #[test]
    fn an_arn_names_a_pipeline_here() {
        let account = Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let of = |tail: &str| pipeline_of(&account, &format!("arn:aws:codepipeline:{tail}"));
        assert_eq!(of("us-east-1:000000000000:web"), Ok("web".to_owned()));
        for wrong in [
            "eu-west-1:000000000000:web",
            "us-east-1:111122223333:web",
            "us-east-1:000000000000:web/Build",
        ] {
            assert!(
                matches!(of(wrong), Err(Rejection::InvalidArn(_))),
                "{wrong}"
            );
        }
        for absent in ["webhook:x", "actiontype:Custom/Build/x/1"] {
            let found = of(&format!("us-east-1:000000000000:{absent}"));
            assert!(
                matches!(found, Err(Rejection::ResourceNotFound(_))),
                "{absent}"
            );
        }
        let other = pipeline_of(&account, "arn:aws:s3:::bucket");
        assert!(matches!(other, Err(Rejection::InvalidArn(_))));
    }
}

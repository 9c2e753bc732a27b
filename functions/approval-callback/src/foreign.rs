//! Whether a form was sent by another site's page.
//!
//! Whoever can aim a form at a link has the link, so this is a second lock on the same door.

use http::{HeaderMap, HeaderValue, header};

/// Browsers say whose page a request comes from; programs say nothing, and are nobody's page.
pub(crate) fn is_foreign(headers: &HeaderMap, origin: &str) -> bool {
    let sites = headers.get_all("sec-fetch-site").iter();
    // `none`: the person did it, and no page.
    let own = ["same-origin", "none"];
    if headers.contains_key("sec-fetch-site") {
        return !sites
            .map(HeaderValue::as_bytes)
            .all(|site| own.iter().any(|o| o.as_bytes() == site));
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let mut origins = headers.get_all(header::ORIGIN).iter();
    !origins.all(|from| from.to_str().is_ok_and(|from| is_own(from, origin, host)))
}

fn is_own(from: &str, origin: &str, host: Option<&str>) -> bool {
    // Our pages send no referrer, and a browser that does not then sends `null` for their forms,
    // too (Fetch, "append a request Origin header").
    if from == "null" || from == origin {
        return true;
    }
    let authority = from.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        is_foreign(&map, "https://ci.example.org")
    }

    #[test]
    fn a_page_of_our_own_and_a_program_are_not_foreign() {
        assert!(!check(&[]));
        assert!(!check(&[
            ("sec-fetch-site", "same-origin"),
            ("origin", "null")
        ]));
        assert!(!check(&[("sec-fetch-site", "none")]));
        assert!(!check(&[("origin", "https://ci.example.org")]));
        assert!(!check(&[
            ("origin", "http://10.0.0.1:7780"),
            ("host", "10.0.0.1:7780")
        ]));
        assert!(!check(&[("origin", "null")]));
    }

    #[test]
    fn a_page_of_another_site_is_foreign() {
        assert!(check(&[("sec-fetch-site", "cross-site")]));
        assert!(check(&[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://ci.example.org")
        ]));
        assert!(check(&[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "cross-site")
        ]));
        assert!(check(&[
            ("origin", "https://evil.example"),
            ("host", "ci.example.org")
        ]));
        assert!(check(&[("origin", "https://evil.example")]));
        assert!(check(&[
            ("origin", "ci.example.org"),
            ("host", "ci.example.org")
        ]));
        assert!(check(&[
            ("origin", "null"),
            ("origin", "https://evil.example")
        ]));
        assert!(check(&[("origin", "")]));
    }
}

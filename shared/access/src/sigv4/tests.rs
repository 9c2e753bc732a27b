mod botocore;
mod many;

use super::*;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2015-08-30T12:36:00Z, the time of the published examples.
const THEN: Timestamp = Timestamp(1_440_938_160_000);

/// A request that can be changed before it is looked at.
#[derive(Clone)]
struct Example {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Example {
    fn new(method: &'static str, path: &str, query: &str, headers: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            method,
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.iter().map(own).collect(),
            body: Vec::new(),
        }
    }

    fn signed(mut self, scope: &str, headers: &str, signature: &str) -> Self {
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/{scope}/aws4_request, \
             SignedHeaders={headers}, Signature={signature}"
        );
        self.headers.push(("authorization".to_owned(), value));
        self
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: self.method,
            path: &self.path,
            query: &self.query,
            headers: &self.headers,
            body: &self.body,
        }
    }

    fn check_at(&self, now: Timestamp) -> Result<Authorization, Refusal> {
        let request = self.request();
        let read = Authorization::read(&request)?;
        read.verify(&request, SECRET, now)?;
        Ok(read)
    }

    fn check(&self) -> Result<Authorization, Refusal> {
        self.check_at(THEN)
    }

    fn set(&mut self, name: &str, value: &str) {
        let header = self.headers.iter_mut().find(|(known, _)| known == name);
        header.expect("the header is there").1 = value.to_owned();
    }
}

const HOST: (&str, &str) = ("host", "example.amazonaws.com");
const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");

/// `get-vanilla` of the published suite.
fn vanilla() -> Example {
    Example::new("GET", "/", "", &[HOST, DATE]).signed(
        "service",
        "host;x-amz-date",
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    )
}

/// The worked example of the documentation of signing.
fn list_users() -> Example {
    Example::new(
        "GET",
        "/",
        "Action=ListUsers&Version=2010-05-08",
        &[
            (
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            ),
            ("host", "iam.amazonaws.com"),
            DATE,
        ],
    )
    .signed(
        "iam",
        "content-type;host;x-amz-date",
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    )
}

#[test]
fn the_published_examples_are_accepted() {
    let post = Example::new("POST", "/", "", &[HOST, DATE]).signed(
        "service",
        "host;x-amz-date",
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
    );
    for example in [vanilla(), post, list_users()] {
        let read = example.check().expect("it is well signed");
        assert_eq!(
            (read.access_key.as_str(), read.region.as_str()),
            (KEY, "us-east-1")
        );
        assert_eq!(read.session_token, None);
    }
}

#[test]
fn the_published_examples_are_what_is_signed() {
    let credentials = Credentials {
        access_key: KEY,
        secret: SECRET,
        session_token: None,
    };
    for (mut example, service) in [(vanilla(), "service"), (list_users(), "iam")] {
        let (_, published) = example.headers.pop().expect("it is signed");
        example.headers.retain(|(name, _)| name != "x-amz-date");
        let scope = Scope {
            region: "us-east-1",
            service,
        };
        let added = sign(&example.request(), &credentials, scope, THEN);
        let expected = [
            ("x-amz-date".to_owned(), "20150830T123600Z".to_owned()),
            ("authorization".to_owned(), published),
        ];
        assert_eq!(added, expected);
    }
}

#[test]
fn whatever_is_changed_breaks_the_signature() {
    type Change = fn(&mut Example);
    let changes: [(&str, Change); 8] = [
        ("method", |e| e.method = "PUT"),
        ("path", |e| e.path = "/x".to_owned()),
        ("query", |e| e.query.push_str("&x=y")),
        ("host", |e| e.set("host", "evil.example.com")),
        ("date", |e| e.set("x-amz-date", "20150830T123601Z")),
        ("signed header", |e| e.set("content-type", "text/plain")),
        ("body", |e| e.body.push(b'x')),
        ("signature", |e| {
            let text = e.headers.last().expect("signed").1.replace("5d67", "5d68");
            e.set("authorization", &text);
        }),
    ];
    for (what, change) in changes {
        let mut example = list_users();
        change(&mut example);
        let refused = example.check().expect_err(what);
        assert!(matches!(refused, Refusal::Invalid(_)), "{what}: {refused}");
    }
    let request = list_users();
    let read = Authorization::read(&request.request()).expect("it can be read");
    assert!(
        read.verify(&request.request(), "another secret", THEN)
            .is_err()
    );
}

#[test]
fn a_request_is_good_for_five_minutes_either_way() {
    let minute = 60_000;
    for off in [0, 5 * minute, -5 * minute] {
        assert!(vanilla().check_at(Timestamp(THEN.0 + off)).is_ok(), "{off}");
    }
    for (off, why) in [(1, "expired"), (-1, "not yet current")] {
        let now = Timestamp(THEN.0 + off * (5 * minute + 1));
        let refused = vanilla().check_at(now).expect_err(why);
        assert!(refused.to_string().contains(why), "{refused}");
    }
    assert!(vanilla().check_at(Timestamp(i64::MIN)).is_err());
}

#[test]
fn what_is_not_signed_must_not_matter() {
    let mut unsigned = vanilla();
    unsigned
        .headers
        .push(("x-amz-target".to_owned(), "X.Delete".to_owned()));
    let mut twice = vanilla();
    twice
        .headers
        .push(("host".to_owned(), "evil.example.com".to_owned()));
    let mut two_dates = vanilla();
    two_dates
        .headers
        .push(("x-amz-date".to_owned(), "20150830T123601Z".to_owned()));
    let mut no_host = vanilla();
    no_host.set(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request,SignedHeaders=x-amz-date,Signature=00",
    );
    let mut two_headers = vanilla();
    two_headers.headers.push(two_headers.headers[2].clone());
    for (example, why) in [
        (unsigned, "the header `x-amz-target` is not signed"),
        (twice, "the signed header `host` is there 2 times"),
        (two_dates, "the signed header `x-amz-date` is there 2 times"),
        (no_host, "the header `host` is not signed"),
        (two_headers, "there are two Authorization headers"),
    ] {
        let refused = example.check().expect_err(why);
        assert_eq!(refused, Refusal::Incomplete(why.to_owned()));
    }
}

#[test]
fn a_header_that_cannot_be_read_says_why() {
    let with = |from: &str, to: &str| {
        let mut example = vanilla();
        let text = example.headers[2].1.replace(from, to);
        example.set("authorization", &text);
        example.check().expect_err(to).to_string()
    };
    for (from, to, why) in [
        ("AWS4-HMAC-SHA256", "Basic", "is not AWS4-HMAC-SHA256"),
        (
            "AWS4-HMAC-SHA256 ",
            "AWS4-HMAC-SHA256X ",
            "is not AWS4-HMAC-SHA256",
        ),
        ("/aws4_request", "", "KEY/DATE/REGION/SERVICE/aws4_request"),
        ("Signature=", "Signature=x", "64 hexadecimal digits"),
        (
            "Signature=",
            "Signature=a,Signature=",
            "must have one Signature",
        ),
        ("Credential=", "Credentials=", "must have one Credential"),
        ("20150830/", "20150831/", "is not that of the X-Amz-Date"),
        ("20150830/", "2015/", "is not that of the X-Amz-Date"),
        ("host;x-amz-date", "x-amz-date;host", "not in order"),
        (
            "host;x-amz-date",
            "host;x-amz-date;z",
            "`z` is there 0 times",
        ),
    ] {
        let said = with(from, to);
        assert!(said.contains(why), "{to}: {said}");
    }
    let mut date = vanilla();
    date.set("x-amz-date", "20150830T1236Z");
    assert!(
        date.check()
            .expect_err("a date")
            .to_string()
            .contains("YYYYMMDDTHHMMSSZ")
    );
    assert_eq!(
        Example::new("GET", "/", "", &[HOST]).check(),
        Err(Refusal::Missing)
    );
}

#[test]
fn the_hash_that_a_client_says_is_no_way_around() {
    let mut example = vanilla();
    for said in ["UNSIGNED-PAYLOAD", &"0".repeat(64)] {
        let text = example.headers[2]
            .1
            .replace("host;x-amz-date", "host;x-amz-content-sha256;x-amz-date");
        let mut copy = example.clone();
        copy.set("authorization", &text);
        copy.headers
            .push(("x-amz-content-sha256".to_owned(), said.to_owned()));
        let refused = copy.check().expect_err(said);
        assert_eq!(
            refused.to_string(),
            "the body is not the one that was signed"
        );
    }
    example.body = b"{}".to_vec();
    assert!(example.check().is_err());
}

/// What `key/path?query` a client signed is found again, however it is written.
#[test]
fn paths_and_queries_have_one_form() {
    let canonical = |path: &str, query: &str| {
        let mut example = vanilla();
        (example.path, example.query) = (path.to_owned(), query.to_owned());
        let text = canonical::request(&example.request(), &[], "");
        text.lines().skip(1).take(2).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(canonical("/", ""), "/ ");
    assert_eq!(canonical("//a//./b/../c/", ""), "/a/c/ ");
    assert_eq!(canonical("/a%20b", ""), "/a%2520b ");
    assert_eq!(canonical("/..", ""), "/ ");
    assert_eq!(canonical("/", "b=2&a=x%20y&a="), "/ a=&a=x%20y&b=2");
    assert_eq!(canonical("/", "%zz&q=%e2%82%ac"), "/ %25zz=&q=%E2%82%AC");
}

proptest::proptest! {
    /// Nothing that anybody sends makes it panic.
    #[test]
    fn no_header_is_too_odd(
        header in "\\PC{0,200}",
        path in "\\PC{0,50}",
        query in "\\PC{0,50}",
    ) {
        let mut example = vanilla();
        example.set("authorization", &format!("AWS4-HMAC-SHA256 {header}"));
        proptest::prop_assert!(example.check().is_err());
        let mut example = vanilla();
        (example.path, example.query) = (path, query);
        let _ = example.check();
    }
}

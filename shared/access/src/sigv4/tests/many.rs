//! Many requests: each that was signed is accepted, each that was changed is refused.

use std::thread;

use embedded::SeededRandom;

use super::*;

/// How many requests are signed, and how many of them are changed afterwards.
const REQUESTS: u64 = 100_000;

/// As many as there are threads; the seeds are what they begin with.
const SEEDS: [u64; 2] = [1, 2];

const SCOPE: Scope<'_> = Scope {
    region: "us-east-1",
    service: "codepipeline",
};

/// What paths, queries, header values and bodies are made of.
const PARTS: [&str; 16] = [
    "a", "B7", "/", "//", ".", "..", "%20", "%2F", "%", "+", "=", "&", "~._-", "\u{e9}", " ", ";",
];

/// Characters of which any is another one in every canonical form.
const LETTERS: [&str; 4] = ["x", "y", "0", "-"];

struct Chance(SeededRandom);

impl Chance {
    fn below(&self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).expect("it is below a usize")
    }

    fn of<'a>(&self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn text(&self, parts_max: usize) -> String {
        (0..self.below(parts_max + 1))
            .map(|_| self.of(&PARTS))
            .collect()
    }

    fn request(&self) -> Example {
        let methods = ["GET", "POST", "PUT", "DELETE"];
        let path = format!("/{}", self.text(5));
        let mut example = Example::new(methods[self.below(4)], &path, &self.text(5), &[]);
        let mut header = |name: &str, value: String| example.headers.push((name.to_owned(), value));
        header("host", "localhost:7780".to_owned());
        if self.below(2) == 0 {
            header("content-type", "application/x-amz-json-1.1".to_owned());
        }
        header(
            "x-amz-target",
            format!("CodePipeline_20150709.{}", self.text(3)),
        );
        if self.below(2) == 0 {
            header("user-agent", self.text(3));
        }
        example.body = self.text(8).into_bytes();
        example
    }

    /// A request that is signed, with temporary credentials or without.
    fn signed(&self) -> Example {
        let mut example = self.request();
        let token = (self.below(4) == 0).then_some("token");
        let credentials = Credentials {
            access_key: KEY,
            secret: SECRET,
            session_token: token,
        };
        let added = sign(&example.request(), &credentials, SCOPE, THEN);
        example.headers.extend(added);
        example
    }

    /// Changes what the request means, in one place.
    fn change(&self, example: &mut Example) {
        let letter = self.of(&LETTERS);
        let in_header = |example: &mut Example, name: &str, change: &dyn Fn(&str) -> String| {
            let header = example.headers.iter_mut().find(|(known, _)| known == name);
            let (_, value) = header.expect("the header is there");
            *value = change(value);
        };
        match self.below(12) {
            0 => {
                example.method = if example.method == "GET" {
                    "POST"
                } else {
                    "GET"
                }
            }
            1 => example.path.push_str(letter),
            2 => example.query.extend(["&", letter]),
            3 => example.body.push(b'x'),
            4 => {
                let bit = 1 << self.below(8);
                match example.body.len() {
                    0 => example.body.push(bit),
                    length => example.body[self.below(length)] ^= bit,
                }
            }
            5 => in_header(example, "host", &|host| format!("{letter}{host}")),
            6 => in_header(example, "x-amz-target", &|target| {
                format!("{target}{letter}")
            }),
            7 => in_header(example, "x-amz-date", &|_| "20150830T123601Z".to_owned()),
            8 => in_header(example, "authorization", &|value| {
                let digit = value.len() - 1 - self.below(64);
                let other = if &value[digit..=digit] == "0" {
                    "1"
                } else {
                    "0"
                };
                format!("{}{other}{}", &value[..digit], &value[digit + 1..])
            }),
            9 => in_header(example, "authorization", &|value| {
                value.replace("us-east-1", "us-east-2")
            }),
            10 => in_header(example, "authorization", &|value| {
                value.replace("codepipeline/", "codebuild/")
            }),
            _ => {
                // A header that is signed is there twice, or one more that should be signed.
                let header = [("host", "h"), ("x-amz-date", "d"), ("x-amz-extra", "e")];
                let (name, value) = header[self.below(3)];
                example.headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

#[test]
fn every_signed_request_is_accepted_and_every_changed_one_refused() {
    let check = |seed: u64| {
        let chance = Chance(SeededRandom::new(seed));
        let key = SigningKey::derive(SECRET, "20150830", SCOPE);
        let verify = |example: &Example| {
            let request = example.request();
            Authorization::read(&request)?.verify_with(&request, &key, THEN)
        };
        for number in 0..REQUESTS / SEEDS.len() as u64 {
            let mut example = chance.signed();
            let verified = verify(&example);
            assert_eq!(verified, Ok(()), "seed {seed}, number {number}");
            let before = (example.path.clone(), example.query.clone());
            chance.change(&mut example);
            let refused = verify(&example);
            let said = &example.headers;
            assert!(
                refused.is_err(),
                "seed {seed}, number {number}: {before:?}, {said:?}"
            );
        }
    };
    thread::scope(|scope| {
        for seed in SEEDS {
            scope.spawn(move || check(seed));
        }
    });
}

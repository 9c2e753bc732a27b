//! Requests that botocore signed: what the AWS CLI and boto3 send, odd paths, queries and headers
//! and all. `vectors.py` makes them.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    millis: i64,
    secret: String,
    token: Option<String>,
    region: String,
    service: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("botocore.json")).expect("it is a list of requests")
}

fn request(vector: &Vector) -> Request<'_> {
    Request {
        method: &vector.method,
        path: &vector.path,
        query: &vector.query,
        headers: &vector.headers,
        body: vector.body.as_bytes(),
    }
}

#[test]
fn what_botocore_signs_is_accepted() {
    let vectors = vectors();
    assert!(vectors.len() >= 200);
    for vector in &vectors {
        let request = request(vector);
        let read = Authorization::read(&request).expect("it can be read");
        let url = format!("{} {}?{}", vector.method, vector.path, vector.query);
        let verified = read.verify(&request, &vector.secret, Timestamp(vector.millis));
        assert_eq!(verified, Ok(()), "{url} {:?}", vector.headers);
        assert_eq!(
            (&read.region, &read.service),
            (&vector.region, &vector.service)
        );
        assert_eq!(read.session_token, vector.token);
        let other = read.verify(&request, "another secret", Timestamp(vector.millis));
        assert!(other.is_err(), "{url}");
    }
}

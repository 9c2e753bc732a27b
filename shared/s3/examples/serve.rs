//! The endpoint alone, for the conformance script: keys in memory, objects in a temporary folder.
//!
//! Prints its address, then serves until its input ends.

use std::{collections::BTreeMap, convert::Infallible, error::Error, io::Read, sync::Arc};

use access::{
    keys::{Holder, Keys, KeysError, Secret, Session},
    policy::Policy,
};
use async_trait::async_trait;
use embedded::{Objects, SystemClock};
use hyper_util::rt::TokioIo;
use model::Timestamp;
use pipewright_s3::{Options, Service, service};
use ports::Account;
use tokio::net::TcpListener;

/// Everybody is known by these; they protect nothing.
const ADMINISTRATOR: (&str, &str) = ("PWADMINISTRATOR", "administrator-secret");
const READER: (&str, &str) = ("PWREADER", "reader-secret");
const GUEST: (&str, &str) = ("PWGUEST", "guest-secret");
const GUEST_TOKEN: &str = "guest-token";

const EVERYTHING: &str = r#"{"Version": "2012-10-17", "Statement":
    [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"#;
const READING: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:Get*", "s3:ListBucket"], "Resource": "*"},
    {"Sid": "NoSecrets", "Effect": "Deny", "Action": "s3:*",
     "Resource": "arn:aws:s3:::*/secret/*"}]}"#;

struct Known(BTreeMap<String, Arc<Holder>>);

#[async_trait]
impl Keys for Known {
    async fn holder(&self, access_key: &str) -> Result<Option<Arc<Holder>>, KeysError> {
        Ok(self.0.get(access_key).cloned())
    }
}

fn holder(
    key: (&str, &str),
    policy: &str,
    session: Option<Session>,
) -> Result<Arc<Holder>, String> {
    let policy = Policy::read(policy).map_err(|error| error.to_string())?;
    Ok(Arc::new(Holder {
        access_key: key.0.to_owned(),
        secret: Secret::new(key.1),
        arn: format!("arn:aws:iam::000000000000:user/{}", key.0),
        policies: vec![policy],
        session,
    }))
}

fn known() -> Result<Known, String> {
    let session = Session {
        token: Secret::new(GUEST_TOKEN),
        expires: Timestamp(i64::MAX),
    };
    let all = [
        holder(ADMINISTRATOR, EVERYTHING, None)?,
        holder(READER, READING, None)?,
        holder(GUEST, EVERYTHING, Some(session))?,
    ];
    let all = all.into_iter();
    Ok(Known(
        all.map(|holder| (holder.access_key.clone(), holder))
            .collect(),
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let clock = Arc::new(SystemClock);
    let service = service(Options {
        objects: Arc::new(Objects::open(
            &folder.path().join("objects"),
            clock.clone(),
        )?),
        keys: Arc::new(known()?),
        clock,
        account: Account {
            id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
        },
        uploads: folder.path().join("uploads"),
        on_put: Arc::new(|_, _, _| {}),
    })?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    #[expect(
        clippy::print_stdout,
        reason = "whoever started it reads the address here"
    )]
    {
        println!("http://{}", listener.local_addr()?);
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        result = serve(listener, service) => result?,
        ended = ended => { ended??; }
    }
    Ok(())
}

async fn serve(listener: TcpListener, service: Service) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let service = service.clone();
        tokio::spawn(async move {
            let answer = hyper::service::service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(service.answer(request).await) }
            });
            let connection = hyper::server::conn::http1::Builder::new();
            // A client that goes away is no failure of the server.
            drop(
                connection
                    .serve_connection(TokioIo::new(stream), answer)
                    .await,
            );
        });
    }
}

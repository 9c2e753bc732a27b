//! Mail, handed to a server by SMTP.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart, SinglePart, header},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls as Security, TlsParameters},
        extension::ClientId,
    },
};
use tokio::time::timeout;

use super::{Failure, said};
use crate::rules::{Smtp, Tls};

/// How long handing over one mail may take.
const TIME_MAX: Duration = Duration::from_secs(30);

/// What is written to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// The same for a repeat, which a mail program then shows once.
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
}

/// Hands a mail to the server, for all recipients at once.
pub(crate) async fn send(
    smtp: &Smtp,
    from: &Mailbox,
    to: &[Mailbox],
    letter: Letter,
) -> Result<(), Failure> {
    let message = message(from, to, letter)
        .map_err(|error| Failure::final_(format!("the mail cannot be written: {error}")))?;
    let transport = transport(smtp)
        .map_err(|error| Failure::new(format!("the mail server cannot be used: {error}")))?;
    match timeout(TIME_MAX, transport.send(message)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failure::new(format!(
            "the mail server did not take the mail{}",
            said(error.to_string().as_bytes())
        ))),
        Err(_) => Err(Failure::new(format!(
            "the mail server was not done within {} s",
            TIME_MAX.as_secs()
        ))),
    }
}

fn message(
    from: &Mailbox,
    to: &[Mailbox],
    letter: Letter,
) -> Result<Message, lettre::error::Error> {
    let Letter {
        id,
        subject,
        text,
        html,
    } = letter;
    let builder = Message::builder()
        .from(from.clone())
        .subject(subject)
        .message_id(Some(format!("<{id}@pipewright>")))
        // No holiday replies, please (RFC 3834).
        .header(AutoSubmitted);
    let builder = to
        .iter()
        .fold(builder, |builder, to| builder.to(to.clone()));
    match html {
        Some(html) => builder.multipart(MultiPart::alternative_plain_html(text, html)),
        None => builder.singlepart(SinglePart::plain(text)),
    }
}

fn transport(
    smtp: &Smtp,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, lettre::transport::smtp::Error> {
    let parameters = || TlsParameters::new(smtp.host.clone());
    let security = match smtp.tls {
        Tls::None => Security::None,
        Tls::StartTls => Security::Required(parameters()?),
        Tls::Tls => Security::Wrapper(parameters()?),
    };
    let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(security)
        .hello_name(ClientId::Domain("localhost".to_owned()))
        .timeout(Some(TIME_MAX));
    Ok(match &smtp.login {
        Some((user, password)) => {
            let password = password.reveal().to_owned();
            builder
                .credentials(Credentials::new(user.clone(), password))
                .build()
        }
        None => builder.build(),
    })
}

/// `Auto-Submitted: auto-generated`.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

//! The targets of the file, and the mail server that some of them need.

use lettre::message::Mailbox;
use model::declaration::{
    decode::{Decoder, Fields},
    node::Node,
    path::Path,
};
use ureq::http::Uri;

use super::{
    Channel, Command, Email, Smtp, Tls, Webhook, problem,
    secret::{Lookup, secret},
};

const URL_BYTES_MAX: usize = 2_048;

/// Shorter secrets can be guessed from one signed message.
const SECRET_BYTES_MIN: usize = 16;

/// How many recipients one target may have.
const RECIPIENTS_MAX: usize = 50;

const ARGUMENTS_MAX: usize = 64;
const ARGUMENT_BYTES_MAX: usize = 4_096;

pub(super) struct Context<'a> {
    pub(super) lookup: &'a Lookup<'a>,
    pub(super) has_smtp: bool,
    pub(super) from: Option<Mailbox>,
}

/// `{webhook: …}`, `{email: …}` or `{command: …}`.
pub(super) fn channel(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    context: &Context<'_>,
) -> Option<Channel> {
    let mut named = 0;
    let read = |fields: &mut Fields<'_>| {
        let webhook = fields.optional("webhook", |d, node, path| {
            named += 1;
            webhook(d, node, path, context).map(Channel::Webhook)
        });
        let email = fields.optional("email", |d, node, path| {
            named += 1;
            email(d, node, path, context).map(Channel::Email)
        });
        let command = fields.optional("command", |d, node, path| {
            named += 1;
            command(d, node, path).map(Channel::Command)
        });
        webhook.or(email).or(command)
    };
    let channel = decoder.object(node, path, read)?;
    if named == 0 && node.entries().is_some_and(|entries| !entries.is_empty()) {
        // What is there instead was reported as unknown.
        return None;
    }
    if named != 1 {
        let message = format!("a target is one thing, and here {named} are named");
        let help = "write one of: webhook, email, command";
        decoder.report(problem(path, message).at(node.place).with_help(help));
        return None;
    }
    channel
}

/// `{email: [ADDRESS, …], command: {argv: […]}}`.
pub(super) fn approvals(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    context: &Context<'_>,
) -> Option<Vec<Channel>> {
    decoder.object(node, path, |fields| {
        let email = fields.optional("email", |d, node, path| {
            let to = recipients(d, node, path)?;
            let from = sender(d, node, path, None, context)?;
            Some(Channel::Email(Email { to, from }))
        });
        let command = fields.optional("command", command).map(Channel::Command);
        email.into_iter().chain(command).collect()
    })
}

fn webhook(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    context: &Context<'_>,
) -> Option<Webhook> {
    let read = |fields: &mut Fields<'_>| {
        let allow_private = fields.optional("allow_private", Decoder::boolean);
        let allow_private = allow_private.unwrap_or_default();
        let url = fields.required("url", |d, node, path| url(d, node, path, allow_private));
        let secret = fields.required("secret", |d, node, path| {
            let secret = secret(d, node, path, context.lookup)?;
            if secret.reveal().len() < SECRET_BYTES_MIN {
                let message = "the secret of a webhook is too short";
                let help = format!("take one of {SECRET_BYTES_MIN} bytes or more");
                d.report(problem(path, message).at(node.place).with_help(help));
                return None;
            }
            Some(secret)
        });
        Some(Webhook {
            url: url?,
            secret: secret?,
            allow_private,
        })
    };
    decoder.object(node, path, read).flatten()
}

fn url(decoder: &mut Decoder, node: &Node, path: &Path, allow_private: bool) -> Option<String> {
    let text = decoder.text(node, path)?;
    let wrong = match text.parse::<Uri>() {
        _ if text.len() > URL_BYTES_MAX => Some("the URL is too long"),
        Err(_) => Some("this is no URL"),
        Ok(uri) if uri.host().is_none_or(str::is_empty) => Some("the URL names no host"),
        Ok(uri) if uri.authority().is_some_and(|a| a.as_str().contains('@')) => {
            Some("the URL holds a name or password")
        }
        Ok(uri) => match uri.scheme_str() {
            Some("https") => None,
            Some("http") if allow_private => None,
            Some("http") => Some("the URL is not encrypted"),
            _ => Some("the URL is not of the web"),
        },
    };
    if let Some(message) = wrong {
        let help = "write https://HOST/PATH, or http:// with `allow_private: true` for one of \
            your own network";
        decoder.report(problem(path, message).at(node.place).with_help(help));
        return None;
    }
    Some(text)
}

fn email(decoder: &mut Decoder, node: &Node, path: &Path, context: &Context<'_>) -> Option<Email> {
    let (to, from) = decoder.object(node, path, |fields| {
        (
            fields.required("to", recipients),
            fields.optional("from", mailbox),
        )
    })?;
    let from = sender(decoder, node, path, from, context)?;
    Some(Email { to: to?, from })
}

fn sender(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    own: Option<Mailbox>,
    context: &Context<'_>,
) -> Option<Mailbox> {
    let (message, help) = if !context.has_smtp {
        ("mail needs a server", "add `smtp: {host: …, from: …}`")
    } else if let Some(from) = own.or_else(|| context.from.clone()) {
        return Some(from);
    } else {
        ("the mail has no sender", "add `from` here or to `smtp`")
    };
    decoder.report(problem(path, message).at(node.place).with_help(help));
    None
}

fn recipients(decoder: &mut Decoder, node: &Node, path: &Path) -> Option<Vec<Mailbox>> {
    let to = decoder.list_of_some(node, path, mailbox)?;
    if to.len() > RECIPIENTS_MAX {
        let message = format!("there are more than {RECIPIENTS_MAX} recipients");
        let help = "write to a mailing list";
        decoder.report(problem(path, message).at(node.place).with_help(help));
        return None;
    }
    Some(to)
}

fn mailbox(decoder: &mut Decoder, node: &Node, path: &Path) -> Option<Mailbox> {
    let text = decoder.text(node, path)?;
    let mailbox = text.parse();
    if mailbox.is_err() {
        let message = format!("`{text}` is no address");
        let help = "write ann@example.org or Ann <ann@example.org>";
        decoder.report(problem(path, message).at(node.place).with_help(help));
    }
    mailbox.ok()
}

fn command(decoder: &mut Decoder, node: &Node, path: &Path) -> Option<Command> {
    let read = |fields: &mut Fields<'_>| {
        fields.required("argv", |d, node, path| {
            let argv = d.list_of_some(node, path, Decoder::text)?;
            let fits = |argument: &String| {
                argument.len() <= ARGUMENT_BYTES_MAX && !argument.contains('\0')
            };
            let is_usable = argv.len() <= ARGUMENTS_MAX
                && argv.iter().all(fits)
                && argv.first().is_some_and(|program| !program.is_empty());
            if !is_usable {
                let message = "this is no program with its arguments";
                let help = format!(
                    "write up to {ARGUMENTS_MAX} texts of up to {ARGUMENT_BYTES_MAX} bytes, the program first"
                );
                d.report(problem(path, message).at(node.place).with_help(help));
                return None;
            }
            Some(argv)
        })
    };
    let argv = decoder.object(node, path, read)??;
    Some(Command { argv })
}

/// The mail server.
pub(super) fn smtp(
    decoder: &mut Decoder,
    node: &Node,
    path: &Path,
    lookup: &Lookup<'_>,
) -> Option<Smtp> {
    let tls = [
        ("none", Tls::None),
        ("starttls", Tls::StartTls),
        ("tls", Tls::Tls),
    ];
    let read = |fields: &mut Fields<'_>| {
        let host = fields.required("host", Decoder::text);
        let port = fields.optional_integer("port", 1, u32::from(u16::MAX));
        let tls = fields.optional("tls", |d, node, path| d.choice(node, path, &tls));
        let username = fields.optional_text("username");
        let password = fields.optional("password", |d, node, path| secret(d, node, path, lookup));
        let from = fields.optional("from", mailbox);
        (
            host,
            port,
            tls.unwrap_or(Tls::StartTls),
            username,
            password,
            from,
        )
    };
    let (host, port, tls, username, password, from) = decoder.object(node, path, read)?;
    let host = host?;
    let port = match (port.map(u16::try_from), tls) {
        (Some(Ok(port)), _) if port > 0 => port,
        (None, Tls::None) => 25,
        (None, Tls::StartTls) => 587,
        (None, Tls::Tls) => 465,
        (Some(_), _) => {
            let message = "there is no such port";
            let help = "write 1 to 65535";
            decoder.report(problem(path, message).at(node.place).with_help(help));
            return None;
        }
    };
    let has_password = node.entry("password").is_some();
    let is_local = ["localhost", "127.0.0.1", "::1"].contains(&host.as_str());
    let wrong = if username.is_some() != has_password {
        Some("a username and a password go together")
    } else if has_password && tls == Tls::None && !is_local {
        Some("the password would be sent in the clear")
    } else {
        None
    };
    if let Some(message) = wrong {
        let help = "write both, or none of them, and `tls: starttls` or `tls: tls`";
        decoder.report(problem(path, message).at(node.place).with_help(help));
    }
    Some(Smtp {
        host,
        port,
        tls,
        login: username.zip(password),
        from,
    })
}

//! A user of this machine, by the name that `run-as` gives.

use std::fs;

use rustix::process::geteuid;
use thiserror::Error;

const PASSWD: &str = "/etc/passwd";
const ROOT: u32 = 0;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

#[derive(Debug, Error)]
pub(super) enum UserError {
    #[error("the user {0} of run-as does not exist")]
    Unknown(String),
    #[error("run-as {0} needs an agent that runs as root")]
    NotRoot(String),
    #[error("failed to read the users of this machine")]
    Unreadable(#[source] std::io::Error),
}

impl User {
    /// The user to switch to; none when the agent is that user already.
    pub(super) fn named(name: &str) -> Result<Option<Self>, UserError> {
        let passwd = fs::read_to_string(PASSWD).map_err(UserError::Unreadable)?;
        let user = find(&passwd, name).ok_or_else(|| UserError::Unknown(name.to_owned()))?;
        let own = geteuid().as_raw();
        if user.uid == own {
            return Ok(None);
        }
        if own != ROOT {
            return Err(UserError::NotRoot(name.to_owned()));
        }
        Ok(Some(user))
    }
}

fn find(passwd: &str, name: &str) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(User {
            name: name.to_owned(),
            uid,
            gid,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1001::/home/ann:/bin/sh\n";

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let ann = User {
            name: "ann".to_owned(),
            uid: 1000,
            gid: 1001,
        };
        assert_eq!(find(TABLE, "ann"), Some(ann));
        assert_eq!(find(TABLE, "an"), None);
    }

    #[test]
    fn an_unknown_user_is_named_in_the_error() {
        let error = User::named("nobody-of-that-name").expect_err("no such user");
        assert_eq!(
            error.to_string(),
            "the user nobody-of-that-name of run-as does not exist"
        );
    }
}

//! A user of this machine, by the name that `run-as` gives.

use std::fs;

use rustix::process::geteuid;
use thiserror::Error;

const PASSWD: &str = "/etc/passwd";
const USERS_HERE: &str = "/proc/self/uid_map";
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
    #[error(
        "run-as {0} cannot be had in this sandbox, which has one user only; run the build in a \
         container, or without a sandbox"
    )]
    OneUser(String),
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
        let users = fs::read_to_string(USERS_HERE).map_err(UserError::Unreadable)?;
        if !is_mapped(&users, user.uid) {
            return Err(UserError::OneUser(name.to_owned()));
        }
        Ok(Some(user))
    }
}

/// Whether this user namespace has a user of that number: lines of `FIRST-INSIDE FIRST-OUTSIDE
/// COUNT`; `user_namespaces(7)`.
fn is_mapped(users: &str, uid: u32) -> bool {
    users.lines().any(|line| {
        let numbers: Vec<u64> = line
            .split_ascii_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        let &[first, _, count] = numbers.as_slice() else {
            return false;
        };
        (first..first + count).contains(&u64::from(uid))
    })
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
    fn a_namespace_has_the_users_that_it_maps() {
        let everybody = "         0          0 4294967295\n";
        assert!(is_mapped(everybody, 0) && is_mapped(everybody, 1000));
        let one = "         0       1000          1\n";
        assert!(is_mapped(one, 0) && !is_mapped(one, 1000));
        let two = "0 1000 1\n1 100000 65536\n";
        assert!(is_mapped(two, 1000) && !is_mapped(two, 70_000));
        assert!(!is_mapped("", 0) && !is_mapped("nonsense\n", 0));
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
